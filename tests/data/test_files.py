"""A user's own images, by path."""

import numpy as np
import pytest
from PIL import Image

from vlae_tf import data


def _images(size, shape=(6, 5)):
  return np.random.RandomState(size).randint(0, 256, [size, *shape], np.uint8)


def _write(folder, images, suffix='.png'):
  folder.mkdir(parents=True, exist_ok=True)
  for i, image in enumerate(images):
    Image.fromarray(image).save(folder / f'{i:03}{suffix}')


def _as_set(images):
  return {image.tobytes() for image in images}


def test_directory_is_split_into_ten_parts(tmp_path):
  images = _images(25)
  _write(tmp_path, images)
  (tmp_path / 'notes.txt').write_text('no image')
  loaded = data.load(str(tmp_path))
  splits = [loaded.train, loaded.validation, loaded.test]
  assert [len(s) for s in splits] == [21, 2, 2]
  assert loaded.image_shape == (6, 5, 1)
  assert _as_set(np.concatenate(splits)) == _as_set(images)
  again = data.load(str(tmp_path))
  np.testing.assert_array_equal(again.test, loaded.test)


def test_the_split_is_the_same_for_ever(tmp_path):
  """Published figures are of these images."""
  numbers = np.arange(20, dtype=np.uint8).reshape(20, 1, 1)
  np.savez(tmp_path / 'numbers.npz', np.tile(numbers, (1, 6, 5)))
  loaded = data.load(str(tmp_path / 'numbers.npz'))
  found = [s[:, 0, 0, 0].tolist() for s in (loaded.validation, loaded.test)]
  assert found == [[7, 13], [10, 11]]


def test_directories_of_splits_are_kept(tmp_path):
  for size, split in ((4, 'train'), (3, 'validation'), (2, 'test')):
    _write(tmp_path / split, _images(size))
  loaded = data.load(tmp_path)
  np.testing.assert_array_equal(loaded.test[..., 0], _images(2))
  np.testing.assert_array_equal(loaded.train[..., 0], _images(4))


def test_split_that_is_missing_comes_from_training(tmp_path):
  _write(tmp_path / 'train', _images(20))
  _write(tmp_path / 'test', _images(2))
  loaded = data.load(tmp_path)
  assert [len(loaded.train), len(loaded.validation)] == [18, 2]
  np.testing.assert_array_equal(loaded.test[..., 0], _images(2))


@pytest.mark.parametrize(
  'images',
  [
    _images(10),
    _images(10, (6, 5, 3)),
    _images(10) > 100,
    _images(10) / 255,
    (_images(10) / 255).astype(np.float16),
  ],
  ids=['uint8', 'channels', 'bool', 'float64', 'float16'],
)
def test_npz_of_each_dtype_keeps_its_values(images, tmp_path):
  np.savez(tmp_path / 'a.npz', train=images, validation=images, test=images)
  loaded = data.load(str(tmp_path / 'a.npz'))
  expected = images if images.ndim == 4 else images[..., np.newaxis]
  np.testing.assert_allclose(loaded.train, expected, rtol=1e-7)


@pytest.mark.parametrize(
  ('images', 'kind'),
  [
    (_images(10), 'grey'),
    (_images(10) / 255, 'grey'),
    (_images(10) > 100, 'binary'),
    (_images(10, (6, 5, 3)) > 100, 'binary'),
    (_images(10, (6, 5, 3)), 'levels'),
  ],
  ids=['uint8', 'float', 'bool', 'bool channels', 'colours'],
)
def test_kind_of_npz_follows_its_array(images, kind, tmp_path):
  np.savez(tmp_path / 'a.npz', images)
  assert data.load(tmp_path / 'a.npz').kind == kind


def test_colours_in_npz_are_kept_whole_in_batches(tmp_path):
  images = _images(10, (6, 5, 3))
  np.savez(tmp_path / 'a.npz', train=images, validation=images, test=images)
  loaded = data.load(tmp_path / 'a.npz')
  seen = data.fixed_binarization(loaded.test, 'test', kind=loaded.kind)
  np.testing.assert_array_equal(seen, (images / 255).astype(np.float32))


def test_npz_of_one_array_is_split(tmp_path):
  np.savez_compressed(tmp_path / 'a.npz', anything=_images(30))
  loaded = data.load(str(tmp_path / 'a.npz'))
  assert [len(loaded.train), len(loaded.test)] == [24, 3]


@pytest.mark.parametrize(
  ('arrays', 'message'),
  [
    ({'x': _images(9), 'y': _images(9)}, r"must hold one array.*\['x', 'y'\]"),
    ({'train': _images(9) / 200}, r'a\.npz: train.*values in \[0, 1\]'),
    ({'train': _images(9) * np.nan}, r'a\.npz: train.*no NaN'),
    ({'train': _images(9)[0]}, r'a\.npz: train.*must be an array of shape'),
    ({'train': _images(9)[:0]}, r'a\.npz: train.*must not be empty'),
    ({'train': _images(9) * 2.5j}, r'a\.npz: train.*got complex128'),
    ({'train': _images(9) // 128}, r'a\.npz: train.*must be bool if.*0 or 1'),
    (
      {'train': _images(9, (6, 5, 3)) / 255},
      r'a\.npz: train.*must be uint8.*more than one channel.*np\.rint.*6, 5, 3',
    ),
    ({'train': _images(2)}, r'a\.npz.*more than 2 images.*got 2'),
    (
      {'train': _images(9), 'test': _images(9, (6, 6))},
      r'a\.npz.*`test` must have images of the shape of `train`',
    ),
  ],
)
def test_bad_npz_is_named_with_what_it_has(arrays, message, tmp_path):
  np.savez(tmp_path / 'a.npz', **arrays)
  with pytest.raises(ValueError, match=message):
    data.load(str(tmp_path / 'a.npz'))


def test_corrupt_npz_is_named(tmp_path):
  (tmp_path / 'a.npz').write_bytes(b'PK\x03\x04 not a zip')
  with pytest.raises(ValueError, match=r'a\.npz cannot be read'):
    data.load(str(tmp_path / 'a.npz'))


def test_npz_runs_no_pickled_code(tmp_path):
  np.savez(tmp_path / 'a.npz', train=np.array([{}], dtype=object))
  with pytest.raises(ValueError, match=r'a\.npz cannot be read'):
    data.load(str(tmp_path / 'a.npz'))


def test_colour_image_is_named(tmp_path):
  _write(tmp_path, _images(3))
  Image.new('RGB', (5, 6)).save(tmp_path / 'colour.png')
  with pytest.raises(ValueError, match=r'colour\.png must be .*grey.*RGB'):
    data.load(str(tmp_path))


def test_image_of_another_size_is_named(tmp_path):
  _write(tmp_path, _images(3))
  Image.new('L', (5, 7)).save(tmp_path / 'tall.png')
  with pytest.raises(ValueError, match=r'tall\.png must.*\(6, 5\), got \(7, 5'):
    data.load(str(tmp_path))


def test_corrupt_image_is_named(tmp_path):
  _write(tmp_path, _images(3))
  (tmp_path / 'torn.png').write_bytes((tmp_path / '000.png').read_bytes()[:45])
  with pytest.raises(ValueError, match=r'torn\.png cannot be read as an image'):
    data.load(str(tmp_path))


def test_directory_without_images_is_named(tmp_path):
  with pytest.raises(ValueError, match='must hold image files, found none'):
    data.load(str(tmp_path))


def test_directory_with_test_alone_is_named(tmp_path):
  _write(tmp_path / 'test', _images(3))
  with pytest.raises(ValueError, match='must have a directory `train`'):
    data.load(str(tmp_path))
