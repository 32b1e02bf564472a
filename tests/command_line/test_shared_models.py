"""Commands that draw take a model of the package where they take a run."""

import fnmatch

import commands
import numpy as np
import pytest
from PIL import Image

_SMALL = ('--num=4', '--seed=3')


def _draw(tmp_path, name, *args):
  path = tmp_path / f'{name}.png'
  result = commands.run('sample', *args, *_SMALL, f'--out={path}')
  assert result.status == 0, result.stderr
  assert result.stdout.startswith('digits: ')
  return np.asarray(Image.open(path))


@pytest.mark.parametrize(
  'mode',
  [
    'prior',
    pytest.param('decompress', marks=pytest.mark.exhaustive('a second draw')),
  ],
)
def test_a_preset_that_comes_with_the_package_is_drawn(tmp_path, mode):
  first, second = (
    _draw(tmp_path, name, f'--{name}=digits', f'--mode={mode}')
    for name in ('preset', 'pretrained')
  )
  np.testing.assert_array_equal(first, second)
  assert first.std() > 0


@pytest.mark.parametrize(
  'args, expected',
  [
    (['--preset=digit'], '--pretrained must be one of * digits'),
    (['--preset=digits', '--workdir=.'], '--workdir*--pretrained* got both'),
    (
      ['--preset=digits', '--checkpoint=last'],
      '--checkpoint applies to --workdir',
    ),
    ([], 'one of --workdir, * and --pretrained must be given, got none'),
  ],
)
def test_what_is_no_one_model_is_refused(tmp_path, args, expected):
  path = tmp_path / 'a.png'
  result = commands.run('sample', *args, f'--out={path}')
  assert result.status == 1
  (line,) = result.stderr.splitlines()
  assert fnmatch.fnmatch(line, f'*{expected}*'), line
  assert not path.exists()
