"""`retention` prints and writes the same numbers for several runs."""

import json
import shutil

import commands
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures('all_eagerly')


def test_it_compares_runs(small_run, tmp_path):
  other = tmp_path / 'other'
  shutil.copytree(small_run, other)
  out = tmp_path / 'new' / 'kept.png'
  args = (f'--workdir={small_run}', f'--workdir={other}', f'--out={out}')
  result = commands.run('retention', *args)
  assert result.status == 0, result.stderr
  lines = result.stdout.splitlines()
  assert lines[0] == '4 test images of mine, a draw of each latent'
  assert lines[-1] == f'wrote {out} and {tmp_path}/new/kept.json'
  written = json.loads((tmp_path / 'new' / 'kept.json').read_text())
  names = ['run, step 2 (last)', 'other, step 2 (last)']
  assert list(written['runs']) == names and written['num_images'] == 4
  assert all(name in lines[1] for name in names)
  one, same = written['runs'].values()
  # Copies of one run draw the same, with the same seed.
  assert one == same and [row['what'] for row in one] == ['luminance'] * 5
  for row, line in zip(one, lines[2:]):
    assert line.startswith('luminance, ')
    assert f'{row["kept"]:.3f} +- ' in line and f'({row["error"]:.1f})' in line
  with Image.open(out) as picture:
    assert names[1] in picture.text['Description']
  again = commands.run('retention', *args)
  assert again.status == 1 and '--out must be a new file' in again.stderr


@pytest.mark.parametrize(
  'args, words',
  [
    ([], '--out must be given'),
    (['--out=a.jpg'], '--out must end in .png'),
    (['--out=a.png', '--max_images=1'], '--max_images must be'),
    (['--out=a.png', '--shown=0'], '--shown must be'),
    (['--out=a.png', '--workdir=nowhere'], '--workdir must be'),
  ],
)
def test_it_says_what_it_cannot_do(small_run, args, words):
  result = commands.run('retention', f'--workdir={small_run}', *args)
  assert result.status == 1
  (line,) = result.stderr.strip().splitlines()
  assert words in line, line


def test_the_same_run_twice_is_an_error(small_run):
  args = [f'--workdir={small_run}'] * 2
  result = commands.run('retention', *args, '--out=a.png')
  assert result.status == 1
  assert '--workdir must be runs of other names' in result.stderr
