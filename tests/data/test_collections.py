"""Images that a codec takes."""

import io

import numpy as np
import pytest
from PIL import Image

from vlae_tf import data
from vlae_tf.data import collections
from vlae_tf.data.image_data import ImageData


def _numbers(shape=(6, 5, 4), below=256):
  return np.random.RandomState(0).randint(0, below, shape).astype(np.uint8)


def _bits(shape=(6, 5, 4)):
  return _numbers(shape, 2).astype(bool)


def _write_files(folder, arrays, suffix='.png'):
  folder.mkdir(parents=True, exist_ok=True)
  for i, array in enumerate(arrays):
    # Names in another order than that of writing.
    name = f'{len(arrays) - i:03}{suffix}'
    Image.fromarray(array).save(folder / name)
  return folder


def _npz(folder, **arrays):
  np.savez(folder / 'a.npz', **arrays)
  return folder / 'a.npz'


@pytest.mark.parametrize(
  'dtype', [bool, np.uint8, np.int64, np.float16, np.float32, np.float64]
)
@pytest.mark.parametrize('top', [1, 255])
@pytest.mark.parametrize('channels', [(), (1,), (3,)])
def test_two_values_are_binary(dtype, top, channels, tmp_path):
  bits = _bits((6, 5, 4, *channels))
  array = bits if dtype is bool else (bits * top).astype(dtype)
  found = collections.read(_npz(tmp_path, x=array))
  assert (found.kind, found.name) == ('binary', 'a.npz')
  assert found.images.dtype == bool
  expected = bits if channels else bits[..., np.newaxis]
  np.testing.assert_array_equal(found.images, expected)


@pytest.mark.parametrize(
  'array',
  [
    _numbers(),
    _numbers(below=3),
    _bits() * np.uint8(254),
    _bits() + np.uint8(1),
  ],
  ids=['grey', 'three values', '0 and 254', '1 and 2'],
)
def test_other_numbers_are_kept_as_levels(array, tmp_path):
  found = collections.read(str(_npz(tmp_path, x=array)))
  assert (found.kind, found.images.dtype) == ('levels', np.uint8)
  np.testing.assert_array_equal(found.images[..., 0], array)


def test_zero_one_and_255_together_are_levels(tmp_path):
  array = np.array([0, 1, 255, 0], np.uint8).reshape(1, 2, 2)
  assert collections.read(_npz(tmp_path, x=array)).kind == 'levels'


def test_images_without_ink_are_binary(tmp_path):
  array = np.zeros([2, 3, 3], np.uint8)
  assert collections.read(_npz(tmp_path, x=array)).kind == 'binary'


def test_array_is_chosen_by_its_name(tmp_path):
  path = _npz(tmp_path, seen=_numbers(), other=_numbers((3, 2, 2)))
  found = collections.read(f'{path}:other')
  assert (found.name, found.images.shape) == ('a.npz:other', (3, 2, 2, 1))
  alone = _npz(tmp_path / '..', seen=_numbers())
  assert len(collections.read(f'{alone}:seen').images) == 6


@pytest.mark.parametrize(
  ('array', 'message'),
  [
    (_numbers() / 255, r'a\.npz: x` must be binary.*float64.*`x > 0\.5`.*rng'),
    (_bits() * np.nan, r'must be binary or uint8, got grey float64'),
    (_bits() * 0.5, r'must be binary or uint8, got grey float64'),
    (_numbers().astype(np.int16), r'must be bool, uint8 or float, got int16'),
    (_bits() * 1j, r'must be bool, uint8 or float, got complex128'),
    (_bits()[0], r'a\.npz: x` must be an array of.*got shape \(5, 4\)'),
    (_bits()[..., None, None], r'got shape \(6, 5, 4, 1, 1\)'),
    (_bits()[:0], r'not empty, got shape \(0, 5, 4\)'),
    (np.array([{}], dtype=object), r'cannot be read as a `.npz` file'),
  ],
)
def test_array_of_no_such_images_is_refused(array, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    collections.read(_npz(tmp_path, x=array))


def test_one_of_several_arrays_has_to_be_named(tmp_path):
  path = _npz(tmp_path, seen=_bits(), other=_bits())
  with pytest.raises(ValueError, match=r"and the name of one of 'other', 'se"):
    collections.read(path)
  with pytest.raises(ValueError, match=r"a\.npz:sene must.*Did you.*'seen'"):
    collections.read(f'{path}:sene')
  with pytest.raises(ValueError, match='it holds none'):
    collections.read(_npz(tmp_path))


@pytest.mark.parametrize(
  ('arrays', 'kind'),
  [
    (_bits(), 'binary'),
    (_bits() * np.uint8(255), 'binary'),
    (_bits() * np.uint8(1), 'levels'),
    (_numbers(), 'levels'),
    (_numbers((6, 5, 4, 3)), 'levels'),
    (_bits((6, 5, 4, 3)) * np.uint8(255), 'levels'),
  ],
  ids=['mode 1', 'mode L', 'nearly black', 'grey', 'colour', 'eight colours'],
)
def test_directory_is_read_by_name(arrays, kind, tmp_path):
  folder = _write_files(tmp_path / 'scans', arrays)
  (folder / 'notes.txt').write_text('no image')
  found = collections.read(folder)
  assert (found.kind, found.name) == (kind, 'scans')
  expected = arrays[::-1] if arrays.ndim == 4 else arrays[::-1, ..., np.newaxis]
  if kind == 'binary':
    expected = expected != 0
  assert found.images.dtype == expected.dtype
  np.testing.assert_array_equal(found.images, expected)


def test_directory_is_named_wherever_one_stands(tmp_path, monkeypatch):
  monkeypatch.chdir(_write_files(tmp_path / 'scans', _bits()))
  assert collections.read('.').name == 'scans'


def _image(mode, size=(4, 5)):
  file = io.BytesIO()
  Image.new(mode, size).save(file, format='PNG')
  return file.getvalue()


@pytest.mark.parametrize(
  ('contents', 'message'),
  [
    (_image('RGBA'), r'z\.png must be one 8-bit grey or RGB.*got mode RGBA'),
    (_image('P'), r'z\.png must be.*got mode P'),
    (_image('I;16'), r'z\.png must be.*got mode I;16'),
    (
      _image('L', (4, 6)),
      r'z\.png must have the size.* of 001\.png, \(5, 4, 1\), got \(6',
    ),
    (_image('RGB'), r'z\.png must have .* channels of 001.*got \(5, 4, 3\)'),
    (_image('L')[:45], r'z\.png cannot be read as an image'),
  ],
  ids=['RGBA', 'palette', '16 bits', 'tall', 'colour', 'torn'],
)
def test_file_of_no_such_image_is_named(contents, message, tmp_path):
  folder = _write_files(tmp_path, _numbers())
  (folder / 'z.png').write_bytes(contents)
  with pytest.raises(ValueError, match=message):
    collections.read(folder)


def test_pages_are_not_lost_silently(tmp_path):
  pages = [Image.fromarray(page) for page in _bits()]
  pages[0].save(tmp_path / 'fax.tiff', save_all=True, append_images=pages[1:])
  with pytest.raises(ValueError, match=r'fax\.tiff must be one.* got 6 pages'):
    collections.read(tmp_path)


def test_empty_directory_is_named(tmp_path):
  with pytest.raises(ValueError, match='must hold image files, found none'):
    collections.read(tmp_path)


def test_grey_data_set_is_what_evaluation_scores():
  digits = data.load('digits')
  for split in ('test', 'train+validation'):
    found = collections.read(f'digits:{split}')
    assert (found.kind, found.name) == ('binary', f'digits:{split}')
    batches = data.evaluation_batches(
      digits.split(split), 100, split=split, kind=digits.kind
    )
    scored = np.concatenate([b['image'] for b in batches.as_numpy_iterator()])
    assert found.images.dtype == bool
    np.testing.assert_array_equal(found.images.astype(np.float32), scored)


@pytest.mark.parametrize(
  'images', [_bits((4, 3, 3, 1)), _numbers((4, 3, 3, 3))]
)
def test_other_data_sets_are_kept(images, monkeypatch):
  def loader(root):
    return ImageData('mine', images, images[:2], images[2:])

  monkeypatch.setitem(data.DATASETS, 'mine', loader)
  found = collections.read('mine:test')
  assert found.kind == ('binary' if images.dtype == bool else 'levels')
  assert found.images.dtype == images.dtype
  np.testing.assert_array_equal(found.images, images[2:])


def test_root_of_data_is_handed_on(monkeypatch, tmp_path):
  roots = []

  def loader(root):
    roots.append(root)
    return ImageData('mine', _bits((4, 3, 3, 1)), *[_bits((2, 3, 3, 1))] * 2)

  monkeypatch.setitem(data.DATASETS, 'mine', loader)
  collections.read('mine:train', tmp_path)
  assert roots == [tmp_path]


@pytest.mark.exhaustive('a real data set')
@pytest.mark.real_data
def test_omniglot_is_binary_with_the_mean_of_its_greys(real_data_dir):
  found = collections.read('omniglot:test', real_data_dir)
  assert found.images.shape == (8070, 28, 28, 1) and found.images.dtype == bool
  grey = data.load('omniglot', real_data_dir).test / 255
  # Its standard error is below 1e-4.
  assert abs(found.images.mean() - grey.mean()) < 1e-3
  assert not found.images[grey == 0].any() and found.images[grey == 1].all()


@pytest.mark.parametrize(
  ('spec', 'message'),
  [
    ('digits:tset', r"`in` must end in a split of digits.*'tset'.*mean 'test'"),
    ('digits:', r"split of digits.*got ''"),
    ('omnigolt:test', r"of a data set that is none of.*Did you mean 'omniglot"),
    ('digits', r"`in` must be the path.*'digits' without a split, as digits:"),
    ('dijits', r"'dijits', which is not there\."),
    ('nothing.npz', r'there is no file nothing\.npz'),
    ('nothing.npz:x', r'there is no file nothing\.npz'),
    ('', r"`in` must be the path.*got ''"),
  ],
)
def test_what_is_not_there_is_named(spec, message):
  with pytest.raises(ValueError, match=message):
    collections.read(spec, argument='in')


def test_file_of_another_kind_is_named(tmp_path):
  (tmp_path / 'a.png').write_bytes(_image('L'))
  with pytest.raises(ValueError, match=r'a\.png., which is another file'):
    collections.read(tmp_path / 'a.png')
