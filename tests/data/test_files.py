"""A user's own images, by path."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vlae_tf import data
from vlae_tf.data import collections


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
    ({'train': _images(9)[:0]}, r'a\.npz: train.*and not empty'),
    ({'train': _images(9) * 2.5j}, r'a\.npz: train.*got complex128'),
    (
      {'train': _images(9) // 128},
      r'a\.npz: train.*must be bool.*if it is binary.*0 or 1',
    ),
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


@pytest.mark.parametrize(
  ('mode', 'size', 'message'),
  [
    ('L', (5, 7), r'odd\.png must have the size.*\(6, 5, 1\), got \(7, 5, 1'),
    ('RGB', (5, 6), r'odd\.png must have .*channels.*, 1\), got \(6, 5, 3'),
  ],
)
def test_image_of_another_shape_is_named(mode, size, message, tmp_path):
  _write(tmp_path, _images(3))
  Image.new(mode, size).save(tmp_path / 'odd.png')
  with pytest.raises(ValueError, match=message):
    data.load(str(tmp_path))


def test_colours_of_a_directory_are_those_of_an_array(tmp_path):
  images = _images(20, (6, 5, 3))
  _write(tmp_path / 'folder', images)
  np.savez(tmp_path / 'a.npz', images)
  found, expected = (
    data.load(tmp_path / 'folder'),
    data.load(tmp_path / 'a.npz'),
  )
  assert found.kind == expected.kind == 'levels'
  for split in ('train', 'validation', 'test'):
    np.testing.assert_array_equal(found.split(split), expected.split(split))


def _read_both(folder):
  """What training and what a codec gets of a directory, and that it agrees."""
  trained, coded = data.load(folder), collections.read(folder).images
  parts = [trained.split(split) for split in ('train+validation', 'test')]
  assert _as_set(np.concatenate(parts)) == _as_set(coded)
  return coded


def _refused_by_both(path, message):
  for read in (data.load, collections.read):
    with pytest.raises(ValueError, match=message):
      read(path)


def _chunk(kind, contents):
  crc = struct.pack('>I', zlib.crc32(kind + contents))
  return struct.pack('>I', len(contents)) + kind + contents + crc


def _png_of_16_bits():
  """Two pixels of 16-bit RGB, which Pillow does not write."""
  head = struct.pack('>IIBBBBB', 2, 1, 16, 2, 0, 0, 0)
  pixels = zlib.compress(b'\0' + bytes(range(12)))
  chunks = {b'IHDR': head, b'IDAT': pixels, b'IEND': b''}
  return b'\x89PNG\r\n\x1a\n' + b''.join(map(_chunk, chunks, chunks.values()))


def _tiff(bits, photometric, **tags):
  """Two pixels of an uncompressed TIFF of as many channels as `bits`."""
  fields = {256: [2], 257: [1], 258: bits, 259: [1], 262: [photometric]}
  fields |= {273: [8], 277: [len(bits)], 278: [1], 279: [2 * sum(bits) // 8]}
  fields |= {int(tag[1:]): values for tag, values in tags.items()}
  data = bytearray(range(7, 7 + 2 * sum(bits) // 8))
  entries = b''
  for tag, values in sorted(fields.items()):
    packed = struct.pack(f'<{len(values)}H', *values)
    if len(packed) > 4:
      data += packed
      packed = struct.pack('<I', 8 + len(data) - len(packed))
    entries += struct.pack('<HHI', tag, 3, len(values)) + packed.ljust(4, b'\0')
  start = struct.pack('<I', 8 + len(data))
  count = struct.pack('<H', len(fields))
  return b'II*\0' + start + data + count + entries + bytes(4)


_TWO_PIXELS = {
  'png of 16 bits': ('.png', _png_of_16_bits(), 'more than 8 bits'),
  'tiff of 16 bits': ('.tiff', _tiff([16] * 3, 2), 'more than 8 bits'),
  'ppm of 16 bits': (
    '.ppm',
    b'P6 2 1 65535\n' + bytes(12),
    'more than 8|65535',
  ),
  'plain ppm of 10 bits': ('.ppm', b'P3 2 1 1023\n' + b'9 ' * 6, 'up to 1023'),
  'pgm of 100 levels': ('.pgm', b'P5 2 1 100\n7d', 'up to 100, no divisor'),
  'a fourth channel': (
    '.tiff',
    _tiff([8] * 4, 2, _338=[0]),
    'further channels',
  ),
  'a second channel': (
    '.tiff',
    _tiff([8] * 2, 1, _338=[0]),
    'further channels',
  ),
  'signed': ('.tiff', _tiff([8], 1, _339=[2]), 'signed values'),
}


@pytest.mark.parametrize('name', _TWO_PIXELS)
def test_file_that_would_come_back_changed_is_refused(name, tmp_path):
  suffix, contents, message = _TWO_PIXELS[name]
  (tmp_path / f'x{suffix}').write_bytes(contents)
  _refused_by_both(tmp_path, rf'x{suffix} must be one 8-bit.*, got.*{message}')


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.tiff', '.ppm', '.webp'])
def test_files_of_8_bits_keep_their_values(suffix, tmp_path):
  images = _images(12, (6, 5, 3))
  for i, image in enumerate(images):
    options = {'lossless': True} if suffix == '.webp' else {}
    Image.fromarray(image).save(tmp_path / f'{i:02}{suffix}', **options)
  np.testing.assert_array_equal(_read_both(tmp_path), images)


@pytest.mark.parametrize(
  ('contents', 'kept'),
  [
    (_tiff([8] * 3, 2), [[[7, 8, 9], [10, 11, 12]]]),
    (_tiff([8], 1), [[[7], [8]]]),
    (b'P2 2 1 15\n3 15', [[[51], [255]]]),
  ],
)
def test_small_files_keep_their_values(contents, kept, tmp_path):
  for name in ('a.tiff', 'b.tiff', 'c.tiff', 'd.tiff'):
    (tmp_path / name).write_bytes(contents)
  np.testing.assert_array_equal(_read_both(tmp_path), [kept] * 4)


def test_transparency_is_refused(tmp_path):
  for mode, colour in (('L', 3), ('RGB', (1, 2, 3))):
    Image.new(mode, (5, 6)).save(tmp_path / 'x.png', transparency=colour)
    _refused_by_both(tmp_path, r'x\.png must be one.*, got transparency')


def test_pages_are_refused(tmp_path):
  pages = [Image.fromarray(page) for page in _images(3)]
  for name in ('a.tiff', 'a.gif', 'a.png'):
    folder = tmp_path / name.replace('.', '_')
    folder.mkdir()
    pages[0].save(folder / name, save_all=True, append_images=pages[1:])
    _refused_by_both(folder, rf'{name} must be one.*, got 3 pages')


# Oracle: the pixels as seen, of those in the file, by EXIF's table.
_SEEN = {
  1: lambda x: x,
  2: lambda x: x[:, ::-1],
  3: lambda x: x[::-1, ::-1],
  4: lambda x: x[::-1],
  5: lambda x: x.T,
  6: lambda x: x[::-1].T,
  7: lambda x: x[::-1, ::-1].T,
  8: lambda x: x.T[::-1],
}


@pytest.mark.parametrize('orientation', _SEEN)
@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
def test_images_are_read_upright(suffix, orientation, tmp_path):
  images = _images(4)
  exif = Image.Exif()
  exif[0x0112] = orientation
  for i, image in enumerate(images):
    Image.fromarray(image).save(tmp_path / f'{i}{suffix}', exif=exif)
  expected = [_SEEN[orientation](image)[..., np.newaxis] for image in images]
  np.testing.assert_array_equal(_read_both(tmp_path), expected)


def test_masks_of_0_and_1_are_not_trained_on_as_greys(tmp_path):
  _write(tmp_path, _images(12) // 128)
  with pytest.raises(ValueError, match=r'values 0 and 255 if it is binary'):
    data.load(tmp_path)
  _write(tmp_path, _images(12) // 128 * np.uint8(255))
  assert set(np.unique(data.load(tmp_path).train)) == {0, 255}


@pytest.mark.parametrize('name', ['val', 'cats', 'Test'])
@pytest.mark.parametrize('split', ['', 'train'])
def test_directories_that_would_be_passed_over_are_refused(
  name, split, tmp_path
):
  _write(tmp_path / split, _images(12))
  _write(tmp_path / name, _images(3))
  with pytest.raises(ValueError, match=rf'got the directory `{name}`'):
    data.load(tmp_path)


def test_classes_are_refused(tmp_path):
  for name in ('cats', 'dogs'):
    _write(tmp_path / 'train' / name, _images(12))
  with pytest.raises(ValueError, match=r'got the directory `cats`, `dogs`'):
    data.load(tmp_path)
  _refused_by_both(tmp_path / 'train', r'got the directory `cats`, `dogs`')


def test_images_beside_splits_are_refused(tmp_path):
  _write(tmp_path / 'train', _images(12))
  _write(tmp_path, _images(2))
  with pytest.raises(
    ValueError, match=r'not both, got 000\.png beside `train`'
  ):
    data.load(tmp_path)


def test_files_that_are_passed_over_are_counted(tmp_path, capsys):
  images = _images(4)
  _write(tmp_path, images)
  for name in ('a.heic', 'b.HEIC', 'notes.txt', '._000.png', '.DS_Store'):
    (tmp_path / name).write_bytes(b'x')
  (tmp_path / '__MACOSX').mkdir()
  assert _as_set(_read_both(tmp_path)) == _as_set(images)
  said = capsys.readouterr().err.splitlines()
  assert (
    said
    == [
      f'warning: {tmp_path}: 3 files of other kinds passed over: .HEIC, .heic, '
      '.txt.'
    ]
    * 2
  )


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_channels_before_pixels_are_refused(channels, tmp_path):
  images = _images(9, (channels, 6, 5))
  np.savez(tmp_path / 'a.npz', images)
  _refused_by_both(tmp_path / 'a.npz', r'channels last.*moveaxis.*, 6, 5\)')
  np.savez(tmp_path / 'a.npz', np.moveaxis(images, 1, -1))
  assert collections.read(tmp_path / 'a.npz').images.shape[-1] == channels


def test_pipes_and_devices_are_not_read(tmp_path):
  _write(tmp_path, _images(3))
  os.mkfifo(tmp_path / 'pipe.png')
  _refused_by_both(tmp_path, r'pipe\.png: it is not a regular file')
  (tmp_path / 'pipe.png').unlink()
  (tmp_path / 'zero.png').symlink_to('/dev/zero')
  _refused_by_both(tmp_path, r'zero\.png: it is not a regular file')


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
