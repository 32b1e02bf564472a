"""Commands show how far they are in one style, or nothing if told so."""

import os
import re
import shutil

import command_flags
import commands
import pytest
import source_tree
import toys
from toys import terminal

from vlae_tf.reproduction import runner
from vlae_tf.utils import console

pytestmark = pytest.mark.usefixtures('all_eagerly')

_LINE = re.compile(
  r'(step|image|fit|code|run|experiment) \d+/\d+'
  r'( ETA (\d+:)?\d+:\d\d \d\S* \w+s/s)?( .*)?'
)
# Of each command that reads a run: how little it can be told to do.
_ARGS = {
  'evaluate': ['--workdir={run}', '--num_samples=2'],
  'embed': ['--workdir={run}', '--out={tmp}/a.npz', '--overwrite'],
  'anomaly': ['--workdir={run}', '--against={images}', '--num_samples=2'],
  'rate_distortion': [
    *('--workdir={run}', '--steps=2'),
    *('--out={tmp}/a.png', '--overwrite'),
  ],
  'retention': [
    *('--workdir={run}', '--max_images=4'),
    *('--out={tmp}/a.png', '--overwrite'),
  ],
  'receptive_field': ['--workdir={run}', '--out={tmp}/a.png'],
  'compress': [
    *('--workdir={run}', '--in={images}', '--out={tmp}/a.vlae'),
    *('--lanes=4', '--jobs=1', '--elbo_samples=2', '--overwrite'),
  ],
  'decompress': [
    *('--workdir={run}', '--in={file}', '--out={tmp}/a.npz', '--overwrite'),
  ],
  'reproduce': ['--smoke', '--notrain', '--runs={tmp}', '--out={tmp}'],
}
_OTHERS = {
  'train',
  'probe',
  'report',
  'window_sweep',
}  # Are tried below and elsewhere.


def impatient():
  """Has a command show all that it has to show, however fast it is."""
  console._SECONDS_BETWEEN_LINES = runner._SECONDS_BETWEEN_LINES = 0.0


def _be_impatient(monkeypatch):
  """The same of commands in this process."""
  for module in (runner, console):
    monkeypatch.setattr(module, '_SECONDS_BETWEEN_LINES', 0.0)


def _on_terminal():
  """The same, on a terminal."""
  impatient()
  # The stream is of the file descriptor.
  os.dup2(os.open(os.environ['TERMINAL'], os.O_RDWR | os.O_NOCTTY), 2)


def _tier(command):
  if command in ('evaluate', 'receptive_field', 'reproduce'):
    return command
  return pytest.param(
    command, marks=pytest.mark.exhaustive('the same of every command')
  )


@pytest.fixture
def names(small_run, tmp_path):
  """What arguments speak of."""
  images = small_run.parent / 'mine.npz'
  run = shutil.copytree(small_run, tmp_path / 'run')
  return dict(run=run, tmp=tmp_path, images=images)


def _tried(command, args, run=commands.spawn, **options):
  """Runs it loud and quiet: both told the same, one of them how it went."""
  found = [run(command, *args, *more, **options) for more in ([], ['--quiet'])]
  loud, quiet = found
  assert (loud.status, quiet.status) == (0, 0), found
  assert quiet.stderr == ''
  assert loud.stdout == quiet.stdout != ''
  lines = loud.stderr.splitlines()
  assert '\r' not in loud.stderr and lines
  for line in lines:
    assert _LINE.fullmatch(line), line
  counted = re.match(r'\w+ (\d+)/(\d+)', lines[-1])
  assert counted[1] == counted[2] != '0'
  return lines


@pytest.mark.parametrize('command', map(_tier, _ARGS))
def test_a_log_has_lines_and_quiet_has_none(command, names, monkeypatch):
  if command == 'decompress':
    names['file'] = names['tmp'] / 'b.vlae'
    packed = ['--lanes=4', '--nobaselines', '--elbo_samples=0']
    packed += [f'--{k}={names[v]}' for k, v in _PLACES.items()]
    assert commands.run('compress', *packed).status == 0
  _be_impatient(monkeypatch)
  args = [arg.format(**names) for arg in _ARGS[command]]
  _tried(command, args, commands.run)


_PLACES = {'workdir': 'run', 'in': 'images', 'out': 'file'}


@pytest.mark.exhaustive('a process for each of four commands')
def test_training_and_probing_are_told_as_the_others(tmp_path):
  run = tmp_path / 'run'
  args = [*toys.FLAGS, '--dataset=digits', '--xla=none', '--max_steps=20']
  args += ['--validate_every_epochs=1', '--batch_size=100']
  args += ['--max_epochs=4', f'--workdir={run}']
  loud = commands.spawn('train', *args, prepare=impatient)
  assert loud.status == 0, loud.stderr
  lines = loud.stderr.splitlines()
  kinds = [line for line in lines if 'validation ELBO' in line]
  assert kinds and all(re.match(r'step \d+: validation', k) for k in kinds)
  for line in set(lines) - set(kinds):
    assert _LINE.fullmatch(line), line
  assert any(re.match(r'step 20/\d+ .* nats', line) for line in lines)
  assert loud.stdout.splitlines()[-1] == f'max_steps at step 20: {run}'
  quiet = commands.run('train', *args, '--quiet', '--max_steps=30')
  # Not of the experiment: it goes on.
  assert quiet.stdout.splitlines() == [
    'resumed from step 20',
    f'max_steps at step 30: {run}',
  ]
  assert (quiet.status, quiet.stderr) == (0, '')
  probe = ['--num_labels=20', '--repeats=2', '--max_images=50']
  probed = _tried('probe', [f'--workdir={run}', *probe], prepare=impatient)
  assert {line.split()[0] for line in probed} == {'image', 'fit'}


def _without_reader():
  reader, writer = os.pipe()
  for number in (1, 2):
    os.dup2(writer, number)
  os.close(reader)


def _on_full_device():
  for number in (1, 2):
    os.dup2(os.open('/dev/full', os.O_WRONLY), number)


@pytest.mark.exhaustive('two processes')
@pytest.mark.parametrize(
  'prepare, status', [(_without_reader, 141), (_on_full_device, 1)]
)
def test_training_without_output_ends_with_its_last_step(
  tmp_path, prepare, status
):
  args = [*toys.FLAGS, '--dataset=digits', '--xla=none', '--max_steps=2']
  result = commands.spawn(
    'train', *args, f'--workdir={tmp_path}', prepare=prepare
  )
  assert result.status == status
  assert (tmp_path / 'checkpoints' / 'ckpt-2.index').exists()


@pytest.mark.exhaustive('two processes')
def test_a_terminal_has_a_bar_and_quiet_has_none(names):
  args = [f'--workdir={names["run"]}', '--num_samples=2']
  for more, expected in (
    ([], [r'image 4/4 100%\|\S{10}\|.*', '']),
    (['--quiet'], ['']),
  ):
    with terminal.opened() as (path, screen):
      result = commands.spawn(
        'evaluate',
        *args,
        *more,
        prepare=_on_terminal,
        TERMINAL=path,
        TERM='xterm',
      )
    assert result.status == 0
    found = screen.lines()
    assert len(found) == len(expected), found
    for line, pattern in zip(found, expected):
      assert re.fullmatch(pattern, line), line


def test_quiet_hides_no_warning_and_no_error(names):
  args = (f'--workdir={names["run"]}', '--num_samples=2', '--quiet')
  warned = commands.run('evaluate', *args, '--max_images=100')
  assert warned.status == 0
  assert warned.stderr.startswith('warning: --max_images=100 is more than')
  assert warned.stderr.count('\n') == 1
  failed = commands.run('evaluate', *args, '--checkpoint=best')
  assert failed.status == 1 and failed.stderr.startswith('error: ')


def test_every_command_with_progress_can_be_quiet():
  described = command_flags.described()
  can = {
    command
    for command, facts in described.items()
    if any('quiet' in flag['name'] for flag in facts['flags'])
  }
  shows = re.compile(r'\b[Mm]eter\(|\bProgress\(')
  for command in described:
    if shows.search(source_tree.text(f'vlae_tf/{command}')):
      assert command in can
  assert can == {*_ARGS, *_OTHERS}
