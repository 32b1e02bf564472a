"""`rate_distortion` prints and writes the same figures, once."""

import json

import commands
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures('all_eagerly')


def test_it_prints_and_writes_the_same_figures(small_run, tmp_path):
  args = (f'--workdir={small_run}', '--steps=2,6')
  out = tmp_path / 'new' / 'curve.png'
  result = commands.run('rate_distortion', *args, f'--out={out}')
  assert result.status == 0, result.stderr
  assert 'WARN' not in result.stderr.upper()
  lines = result.stdout.splitlines()
  assert lines[0] == 'run, step 2 (last): 4 test images of mine'
  assert lines[-1] == f'wrote {out} and {tmp_path}/new/curve.json'
  written = json.loads((tmp_path / 'new' / 'curve.json').read_text())
  assert written['steps'] == [2.0, 6.0] and written['num_images'] == 4
  rows = written['rows']
  assert len(rows) == 6 and len(lines) == 2 + 6 + 1 + 1
  for row, line in zip(rows, lines[2:]):
    assert f'{row["bits"]:.2f} ' in line and f'{row["distortion"]:.2f}' in line
    assert f'{row["hamming_draw"]:.2f},' in line
    assert row['accuracy_draw'] is None
  with Image.open(out) as picture:
    assert picture.size[0] > 400 and 'run' in picture.text['Description']
  again = commands.run('rate_distortion', *args, f'--out={out}')
  assert again.status == 1 and '--out must be a new file' in again.stderr


@pytest.mark.parametrize(
  'args, words',
  [
    ([], '--out must be given'),
    (['--out=a.json'], '--out must end in .png'),
    (['--out=a.png', '--steps=2,x'], '--steps must be numbers with commas'),
    (['--out=a.png', '--steps=2,5'], '--steps must be one of 0.00390625,'),
    (
      ['--out=a.png', '--steps=2,2'],
      '--steps must be one or more values, each once',
    ),
    (['--out=a.png', '--max_images=0'], '--max_images must be'),
  ],
)
def test_it_says_what_it_cannot_do(small_run, args, words):
  result = commands.run('rate_distortion', f'--workdir={small_run}', *args)
  assert result.status == 1
  (line,) = result.stderr.strip().splitlines()
  assert words in line, line
