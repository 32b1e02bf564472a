"""A fault at every write leaves the old state or the new one, never neither."""

import gc
import json
import shutil

import commands
import keras
import numpy as np
import pytest
import toys
from toys import faults

from vlae_tf.evaluation import likelihood
from vlae_tf.formats import container, description, folder
from vlae_tf.runs import checkpoints, loading, records
from vlae_tf.training import callbacks
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib
from vlae_tf.utils import files, json_files

pytestmark = pytest.mark.usefixtures('all_eagerly')

_KIND = files.Kind('kind.json', ('kind.json', 'inner'))


class _Json:
  """A record of a run."""

  def write(self, path, value):
    json_files.write(path / 'a.json', {'value': value})

  def read(self, path):
    return json.loads((path / 'a.json').read_text())['value']


class _Checkpoint:
  """A checkpoint, of which only the last is kept."""

  def _checkpoints(self, path, value):
    variable = keras.Variable(np.full(5, value, 'float32'), name='v')
    return checkpoints.Checkpoints(path, {'m': [variable]}, 1), variable

  def write(self, path, value):
    checkpoints.sweep(path)  # As the start of training does.
    self._checkpoints(path, value)[0].save(value)

  def read(self, path):
    found, variable = self._checkpoints(path, 0)
    step = found.restore()
    assert variable.numpy().tolist() == [step] * 5
    return step


class _Directory:
  """A directory of one kind, replaced."""

  def write(self, path, value):
    with files.new_directory(path / 'd', _KIND, True) as new:
      (new / 'inner').mkdir()
      (new / 'inner' / 'a').write_text(f'{value}')
      (new / 'kind.json').write_text(f'{value}')

  def read(self, path):
    found = {p.read_text() for p in (path / 'd').rglob('*') if p.is_file()}
    (value,) = found
    return int(value)


class _Shared:
  """The folder of a shared model, replaced."""

  def write(self, path, value):
    described = description.Description('0.1.0', (4, 3, 1), (2,), 6)
    values = {'w': np.full(6, value, 'float32')}
    folder.write(path / 'd', described, values, overwrite=True)

  def read(self, path):
    weights = folder.load(path / 'd', folder.read(path / 'd'))
    return int(weights.tensors['w'][0])


class _Container:
  """A file of compressed images, replaced."""

  def write(self, path, value):
    told = dict(mode='lossless', image_shape=(4, 4, 1), chunk_size=2, lanes=4)
    told |= dict(step=1.0, direct_step=0.25, count=2 * value)
    header = container.Header(fingerprint=bytes(8), **told)
    payloads = [bytes([value]) * 50] * value
    container.write(path / 'a.vlae', header, payloads, overwrite=True)

  def read(self, path):
    with container.Archive(path / 'a.vlae') as archive:
      archive.check()
      return archive.header.num_chunks


class _Score:
  """The estimates of an evaluation."""

  def write(self, path, value):
    score = likelihood.PartialScore(path / 'a.json', {'seed': 0}, 0.0)
    columns = [np.full(3, float(value))] * len(likelihood.Estimates._fields)
    if not score.num_images or score._parts[0].log_prob[0] != value:
      score._parts = []
      score.add(likelihood.Estimates(*columns))
    score.finish()

  def read(self, path):
    with np.load(path / 'a.npz') as file:
      return int(file['log_prob'][0])


_WRITERS = [_Json, _Checkpoint, _Directory, _Shared, _Container, _Score]


@pytest.mark.parametrize('mode', faults.MODES)
@pytest.mark.parametrize('writer', _WRITERS)
def test_every_write_may_fail(writer, mode, tmp_path, capsys):
  it = writer()
  (tmp_path / 'all').mkdir()
  it.write(tmp_path / 'all', 1)
  total = faults.points(tmp_path, lambda: it.write(tmp_path / 'all', 2))
  with capsys.disabled():
    print(f' {total} write points', end='')
  for at in range(1, total + 1):
    path = tmp_path / f'{at}'
    path.mkdir()
    it.write(path, 1)
    names = _names(path)
    error = faults.survived(
      tmp_path, at, mode, lambda path=path: it.write(path, 2)
    )
    # A full disk may refuse, and says so; nothing else is raised.
    known = (ValueError, OSError, faults.Killed, type(None))
    assert isinstance(error, known), error
    found = it.read(path)
    assert found in ([1, 2] if error else [2]), at
    if mode == 'full':
      assert not list(path.rglob('.writing-*')), at
    it.write(path, 3)
    assert it.read(path) == 3
    left = _names(path) - names - {n.replace('-1.', '-3.') for n in names}
    assert not left, (at, left)


def _names(path):
  return {str(p.relative_to(path)) for p in path.rglob('*')}


def _train(path, max_steps=2):
  """Trains with a validation and a checkpoint after each step."""
  changes = dict(batch_size=48, validate_every_epochs=1)
  trainer = trainer_lib.Trainer(
    toys.small_config(**toys.SMALLEST | changes),
    toys.image_data(),
    path,
    limits=trainer_lib.Limits(max_steps, checkpoint_every_steps=1, keep=1),
    execution=train_step.Execution(xla='none'),
  )
  trainer.run([callbacks.MetricsLog(path)])
  return [v.numpy() for v in trainer.state.variables()]


def _told(path):
  """Steps and splits of the log."""
  return [(line['step'], line['split']) for line in records.read_log(path)]


_STRIDE = 47  # In the default tier: each takes a second.


@pytest.mark.parametrize('is_begun', [False, True])
@pytest.mark.parametrize('mode', faults.MODES)
def test_training_goes_on_after_a_fault_at_any_write(
  mode, is_begun, tmp_path, capsys, pytestconfig
):
  begun = tmp_path / 'begun'
  begun.mkdir()
  if is_begun:
    _train(begun, 1)
  whole = shutil.copytree(begun, tmp_path / 'whole')
  expected = []
  total = faults.points(tmp_path, lambda: expected.extend(_train(whole)))
  with capsys.disabled():
    print(f' {total} write points', end='')
  stride = 1 if pytestconfig.getoption('exhaustive') else _STRIDE
  for at in range(1 + faults.MODES.index(mode), total + 1, stride):
    path = shutil.copytree(begun, tmp_path / f'{at}')
    error = faults.survived(tmp_path, at, mode, lambda path=path: _train(path))
    gc.collect()  # The killed one has the lock until then.
    assert isinstance(error, (ValueError, faults.Killed, type(None))), error
    if is_begun:
      assert loading.restore(path).step in (1, 2)
    for found, value in zip(_train(path), expected, strict=True):
      np.testing.assert_array_equal(found, value)
    found, wanted = (
      {n for n in _names(p) if '.aside-' not in n} for p in (path, whole)
    )
    if mode == 'once':  # A warning: the best before stays.
      found, wanted = (
        {n for n in x if n[:5] != 'best/'} for x in (found, wanted)
      )
    assert found == wanted, at
    if mode == 'kill':
      assert _told(path) == _told(whole), at


_COMMANDS = {
  'compress': ['--in={images}', '--out={out}/a.vlae', '--lanes=4', '--jobs=1'],
  'evaluate': ['--num_samples=2'],
  'pretrained': ['--format=pretrained', '--out={out}/shared'],
  'export': ['--out={out}/model'],
  'report': ['--out={out}/a.html', '--max_images=2'],
}


def _sizes(path):
  """Files by their paths, with sizes, which do not depend on the time."""
  # Times in the report, and paths in the header of TensorFlow's graphs.
  varying = ('.html', '.pb')
  return {
    p.relative_to(path): 0 if p.suffix in varying else p.stat().st_size
    for p in path.rglob('*')
    if p.is_file()
  }


@pytest.mark.exhaustive('each command some hundred times')
@pytest.mark.parametrize('mode', faults.MODES)
@pytest.mark.parametrize('command', _COMMANDS)
def test_commands_leave_whole_files_after_a_fault_at_any_write(
  command, mode, small_run, tmp_path, capsys
):
  run = shutil.copytree(small_run, tmp_path / 'run')
  images = tmp_path / 'few.npz'
  np.savez(images, toys.binary_images(2, (6, 7, 1)).astype(bool))
  out = tmp_path / 'out'
  name = 'export' if command == 'pretrained' else command
  more = [] if command == 'evaluate' else ['--overwrite']
  if command == 'compress':
    more += ['--nobaselines', '--elbo_samples=0']
  args = [a.format(images=images, out=out) for a in _COMMANDS[command] + more]

  def work():
    return commands.run(name, f'--workdir={run}', '--quiet', *args)

  where = run / 'eval' if command == 'evaluate' else out
  results = []
  total = faults.points(tmp_path, lambda: results.append(work()))
  assert results[0].status == 0, results[0].stderr
  whole = _sizes(where)
  with capsys.disabled():
    print(f' {total} write points', end='')
  for at in range(1, total + 1):
    if at % 2:  # Half of them replace what is there.
      shutil.rmtree(where)
    results.clear()
    error = faults.survived(tmp_path, at, mode, lambda: results.append(work()))
    assert isinstance(error, (faults.Killed, type(None))), error
    if results and results[0].status:
      assert results[0].stderr.count('\n') == 1, results[0].stderr
      assert results[0].stderr.startswith('error: ')
    left = {p: n for p, n in _sizes(where).items() if '.writing-' not in str(p)}
    assert left.items() <= whole.items(), (at, left)
    # A directory is there whole or not at all.
    if command in ('pretrained', 'export'):
      assert left in ({}, whole), (at, left)
    assert work().status == 0
    assert _sizes(where) == whole, at
