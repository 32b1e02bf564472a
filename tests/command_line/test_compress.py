"""`compress` and `decompress` give images back, or one line and what was."""

import json

import commands
import numpy as np
import pytest

from vlae_tf.formats import container

pytestmark = pytest.mark.usefixtures('all_eagerly')

_FRUGAL = ('--lanes=4', '--jobs=1')


def _compress(run, images, out, *args):
  return commands.run(
    'compress',
    f'--workdir={run}',
    f'--in={images}',
    f'--out={out}',
    *_FRUGAL,
    *args,
  )


def _decompress(run, file, out, *args):
  return commands.run(
    'decompress', f'--workdir={run}', f'--in={file}', f'--out={out}', *args
  )


@pytest.fixture(scope='module')
def images():
  """Ten images as the run has them."""
  return np.random.default_rng(1).integers(0, 2, (10, 6, 7, 1)).astype(bool)


@pytest.fixture(scope='module')
def compressed(small_run, images, tmp_path_factory):
  """A file of ten images in three chunks, and what was said of it."""
  folder = tmp_path_factory.mktemp('compressed')
  np.savez(folder / 'images.npz', images)
  result = _compress(
    small_run,
    folder / 'images.npz',
    folder / 'images.vlae',
    '--chunk_size=4',
    f'--report={folder}/report.json',
  )
  assert result.status == 0, result.stderr
  return folder, result


def test_images_come_back(small_run, images, compressed, tmp_path):
  folder, _ = compressed
  out = tmp_path / 'back.npz'
  result = _decompress(small_run, folder / 'images.vlae', out)
  assert result.status == 0, result.stderr
  assert (
    result.stdout
    == f'run, step 2 (last): 10 images of 10 in the file\nwrote {out}\n'
  )
  found = np.load(out)['images']
  assert found.dtype == bool
  np.testing.assert_array_equal(found, images)


def test_some_images_come_back_alone(small_run, images, compressed, tmp_path):
  folder, _ = compressed
  # The first chunk is damaged, and not looked at.
  data = bytearray((folder / 'images.vlae').read_bytes())
  with container.Archive(folder / 'images.vlae') as archive:
    data[archive.parsed.length] ^= 1
  (tmp_path / 'damaged.vlae').write_bytes(data)
  out = tmp_path / 'back.npz'
  result = _decompress(
    small_run, tmp_path / 'damaged.vlae', out, '--images=9,5'
  )
  assert result.status == 0, result.stderr
  np.testing.assert_array_equal(np.load(out)['images'], images[[9, 5]])

  all_of_it = _decompress(
    small_run, tmp_path / 'damaged.vlae', tmp_path / 'a.npz'
  )
  assert all_of_it.status == 1
  assert 'images 0 to 3' in all_of_it.stderr
  assert not (tmp_path / 'a.npz').exists()

  result = _decompress(
    small_run, tmp_path / 'damaged.vlae', out, '--salvage', '--overwrite'
  )
  assert result.status == 0 and 'images 0 to 3' in result.stderr
  np.testing.assert_array_equal(np.load(out)['images'], images[4:])


def test_sizes_are_those_of_the_file(images, compressed):
  folder, result = compressed
  fields = json.loads((folder / 'report.json').read_text())
  size = (folder / 'images.vlae').stat().st_size
  assert fields['images'] == 10 and fields['gross_bits'] == 8 * size
  # Nothing codes random pixels in less than a bit each.
  assert 0.95 * images.size < fields['net_bits'] < fields['gross_bits']
  assert fields['negative_elbo_bits'] > 0.95 * images.size
  packed = fields['baselines']['gzip']['together_bytes']
  assert packed > images.size / 8
  assert f'{size:,}' in result.stdout and 'gzip' in result.stdout


@pytest.mark.usefixtures('compiled')
def test_images_are_put_behind_others(small_run, images, compressed, tmp_path):
  folder, _ = compressed
  file = tmp_path / 'images.vlae'
  file.write_bytes((folder / 'images.vlae').read_bytes())
  result = commands.run(
    'compress',
    f'--workdir={small_run}',
    f'--in={folder}/images.npz',
    f'--out={file}',
    '--append',
    '--jobs=1',
  )
  assert result.status == 0, result.stderr
  out = tmp_path / 'back.npz'
  assert _decompress(small_run, file, out).status == 0
  np.testing.assert_array_equal(
    np.load(out)['images'], np.concatenate([images, images])
  )


def test_a_file_of_another_model_is_refused(compressed, tmp_path):
  folder, _ = compressed
  result = commands.run(
    'decompress',
    '--pretrained=digits',
    f'--in={folder}/images.vlae',
    f'--out={tmp_path}/back.npz',
  )
  assert result.status == 1 and result.stderr.count('\n') == 1
  assert 'another model' in result.stderr and 'fingerprint' in result.stderr
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'args, words',
  [
    (['--in=nothing.npz'], '--in must be'),
    (['--in={images}', '--out=x.zip'], '--out must end in .vlae'),
    (['--in={images}', '--pretrained=digits'], 'both'),
    (['--in={images}', '--lanes=3'], '--lanes must be one of'),
    (['--in={images}', '--step=0.3'], '--step must be one of'),
    (['--in={images}', '--append'], 'Cannot read'),
    (['--in={images}', '--append', '--lanes=4'], 'does not apply to'),
    (['--in={other}'], 'must be bool of shape [num, 6, 7, 1]'),
    (['--in={levels}'], 'must be bool of shape [num, 6, 7, 1]'),
  ],
)
def test_bad_input_is_one_line(small_run, compressed, tmp_path, args, words):
  folder, _ = compressed
  np.savez(tmp_path / 'other.npz', np.ones([2, 5, 7], bool))
  np.savez(tmp_path / 'levels.npz', np.full([2, 6, 7], 99, np.uint8))
  paths = {
    'images': f'{folder}/images.npz',
    'other': f'{tmp_path}/other.npz',
    'levels': f'{tmp_path}/levels.npz',
  }
  args = [arg.format(**paths) for arg in args]
  result = commands.run(
    'compress', f'--workdir={small_run}', f'--out={tmp_path}/new.vlae', *args
  )
  assert result.status == 1, result.stdout
  assert words in result.stderr and result.stderr.count('\n') == 1
  assert {p.name for p in tmp_path.iterdir()} == {'other.npz', 'levels.npz'}


def test_a_file_that_is_there_is_kept(small_run, compressed, tmp_path):
  folder, _ = compressed
  out = tmp_path / 'dear.vlae'
  out.write_text('dear')
  result = _compress(small_run, folder / 'images.npz', out)
  assert result.status == 1 and out.read_text() == 'dear'
  assert '--overwrite' in result.stderr


_DRAWS = [
  (['--images=7,1', '--draws=2'], 4),
  (['--draws=3', '--overwrite'], 30),
  (['--most_probable', '--overwrite'], 10),
]


@pytest.mark.parametrize(
  'num_ways',
  [1, pytest.param(3, marks=pytest.mark.exhaustive('other ways to draw'))],
)
def test_codes_alone_are_a_shorter_file(
  small_run, images, compressed, tmp_path, num_ways
):
  folder, _ = compressed
  file = tmp_path / 'codes.vlae'
  result = commands.run(
    'compress',
    f'--workdir={small_run}',
    f'--in={folder}/images.npz',
    f'--out={file}',
    '--mode=lossy',
    '--chunk_size=6',
    '--jobs=1',
  )
  assert result.status == 0, result.stderr
  assert file.stat().st_size < (folder / 'images.vlae').stat().st_size
  assert 'gzip' not in result.stdout and 'ELBO' not in result.stdout
  for args, num in _DRAWS[:num_ways]:
    out = tmp_path / 'back.npz'
    result = _decompress(small_run, file, out, *args)
    assert result.status == 0, result.stderr
    found = np.load(out)['images']
    assert found.dtype == bool and found.shape == (num, *images.shape[1:])
  wrong = _decompress(
    small_run, folder / 'images.vlae', tmp_path / 'a.npz', '--draws=2'
  )
  assert wrong.status == 1 and '--draws applies to lossy files' in wrong.stderr
