"""A sweep changes the window alone, and says how large it is."""

import json
import re

import commands
import pytest
from PIL import Image

import vlae_tf
from reproduction import made
from vlae_tf.nn.pixel import window_cnn
from vlae_tf.reproduction import processes, runner, windows


@pytest.mark.parametrize('window', ['1x1', '2x1', '4x2', '5x3', '7x4'])
def test_pixels_are_those_that_the_network_sees(window):
  size = windows.size(window, 'digits')
  network = window_cnn.WindowCNN(1, size, units=4, depth=2)
  network.build((None, None, None, 1), (None, None, None, 1))
  seen = vlae_tf.receptive_field(network).num_pixels
  assert windows.num_pixels(window, 'digits') == seen


def test_the_full_window_reaches_every_corner():
  width, height = windows.size('full', 'omniglot')
  # From the last pixel to the first, and to the last column from the first.
  assert height >= 27 and (width - 1) // 2 >= 27
  assert windows.num_pixels('factorised', 'omniglot') == 0
  # Which a network can have.
  shapes = (None, 28, 28, 1), (None, 28, 28, 2)
  window_cnn.WindowCNN(1, (width, height), 2, 1).build(*shapes)


def test_runs_differ_in_the_window_alone():
  found = windows.experiments('static_mnist', windows.USUAL, ['--max_epochs=7'])
  assert len({e.name for e in found.values()}) == len(found) == 6
  configs = {window: e.config for window, e in found.items()}
  assert [c.max_epochs for c in configs.values()] == [7] * 6
  fields = [vars(c) for c in configs.values()]
  changed = {k for k in fields[0] if len({str(f[k]) for f in fields}) > 1}
  assert changed == {'decoder', 'window', 'decoder_tied'}
  for window in ('2x1', '4x2', '7x4', '13x6'):
    assert (configs[window].decoder, configs[window].window) == (
      'window',
      window,
    )
  assert configs['factorised'].decoder == 'factorised'


@pytest.mark.parametrize(
  'names, words',
  [([], 'one or more'), (['2x1', '2x1'], 'each once'), (['2y1'], 'WIDTHxHEI')],
)
def test_bad_windows_are_named(names, words):
  with pytest.raises(ValueError, match=f'`windows` must be .*{words}'):
    windows.experiments('omniglot', names)


def test_the_table_has_what_was_measured():
  score = made.score(81.5, rate_bits=15.25)
  row = windows.Row('4x2', 10, made.record('a', score), [0.9, 0.92], 100)
  (line,) = windows.table([row]).splitlines()[2:]
  cells = [cell.strip() for cell in line.strip('|').split('|')]
  assert cells == [
    '4x2',
    '10',
    '15.2',
    '81.50 +- 0.25',
    '82.50',
    '91.0 +- 1.0',
    '1.0',
    '12',
  ]
  assert windows.picture([row, row._replace(pixels=33)]).shape[0] == 3 * 340


def impatient():
  """Has the sweep say how far it is at every look."""
  runner._SECONDS_BETWEEN_LINES = 0.0
  processes._SECONDS_BETWEEN_LOOKS = 0.05


@pytest.mark.exhaustive('trains two models')
def test_a_sweep_goes_the_whole_way(tmp_path):
  args = [
    '--base_preset=quickstart',
    '--windows=factorised,2x1',
    '--max_epochs=1',
    *(
      f'--train_flag={flag}'
      for flag in (
        '--encoder_widths=4',
        '--encoder_units=8',
        '--latent_size=4',
        '--prior=gaussian',
        '--decoder_units=4',
        '--decoder_depth=2',
        '--batch_size=100',
        '--xla=none',
      )
    ),
    '--num_samples=4',
    '--num_labels=50',
    f'--runs={tmp_path}/runs',
    f'--out={tmp_path}/out',
  ]
  result = commands.spawn('window_sweep', *args, prepare=impatient)
  assert result.status == 0, result.stderr
  folder = tmp_path / 'out/results/windows'
  told = json.loads((folder / 'quickstart.json').read_text())
  assert [row['window'] for row in told['rows']] == ['factorised', '2x1']
  for row in told['rows']:
    assert f'| {row["nll"]["nll"]:.2f} +- ' in result.stdout
    assert len(row['accuracies']) == 5 and row['finished']
  for name in ('quickstart_charts.png', 'quickstart_decompressions.png'):
    with Image.open(folder / name) as picture:
      assert picture.text['Description']
  before = {p: p.stat().st_mtime_ns for p in (tmp_path / 'runs').rglob('*')}
  again = commands.spawn('window_sweep', *args, '--quiet', prepare=impatient)
  assert (again.status, again.stderr) == (0, '')
  assert 'see ' not in again.stdout
  assert before == {p: p.stat().st_mtime_ns for p in before}
  # How many are done, and what the one is at that is not.
  at = r'experiment (\d)/2( ETA \S+ \S+ experiments/s)? ?(\w+: (\w+)(: .*)?)?'
  lines = result.stderr.splitlines()
  found = [re.fullmatch(at, line) for line in lines]
  assert all(found), lines
  done = [int(match[1]) for match in found]
  assert done == sorted(done) and set(done) == {0, 1, 2}
  assert {m[4] for m in found} == {'train', 'evaluate', 'probe', None}
  assert any('train: step 1' in line for line in lines)
  log = next((tmp_path / 'runs').glob('*.log')).read_text()
  assert '\r' not in log and re.search(r'^step \d+/', log, re.MULTILINE)
