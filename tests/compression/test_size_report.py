"""Sizes of images in general codecs."""

import bz2
import gzip
import io
import lzma

import numpy as np
import pytest
from PIL import Image

from vlae_tf.compression import size_report

_DECODERS = {
  'gzip': gzip.decompress,
  'bz2': bz2.decompress,
  'xz': lzma.decompress,
}


def _blobs(shape):
  """Binary images that codecs find something in."""
  coarse = np.random.RandomState(0).rand(shape[0], 4, 4, shape[3]) < 0.4
  fine = coarse.repeat(8, axis=1).repeat(8, axis=2)
  return fine[:, : shape[1], : shape[2]]


def _noise(shape):
  return np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)


def _pixels(encoded, like):
  """Pixels of a file, read by Pillow."""
  with Image.open(io.BytesIO(encoded)) as image:
    mode = 'L' if like.shape[-1] == 1 else 'RGB'
    pixels = np.asarray(image.convert(mode)).reshape(like.shape)
  if like.dtype == bool:
    assert set(np.unique(pixels)) <= {0, 255}
    return pixels == 255
  return pixels


_CASES = {
  'binary': _blobs([5, 28, 27, 1]),
  'grey': _noise([5, 9, 7, 1]),
  'colour': _noise([5, 9, 7, 3]),
}
each_kind = pytest.mark.parametrize('images', _CASES.values(), ids=_CASES)


@each_kind
@pytest.mark.parametrize('codec', ['png', 'webp', 'tiff'])
def test_pillow_reads_the_images_back(images, codec):
  sheets = size_report.sheets(images)
  for image in [*images, *sheets]:
    encoded = size_report.encode(codec, image)
    if codec == 'tiff' and images.dtype == np.uint8:
      assert encoded is None
    else:
      np.testing.assert_array_equal(_pixels(encoded, image), image)


@each_kind
@pytest.mark.parametrize('codec', _DECODERS)
def test_standard_library_reads_the_images_back(images, codec):
  for image in images:
    data = _DECODERS[codec](size_report.encode(codec, image))
    read = np.frombuffer(data, np.uint8)
    if image.dtype == bool:
      assert len(data) == -(-image.size // 8)
      read = np.unpackbits(read)[: image.size]
    np.testing.assert_array_equal(read.reshape(image.shape), image)


@each_kind
def test_sizes_are_those_of_the_libraries(images):
  """Oracle: bits put together one by one, and the library called on them."""

  def in_bytes(image):
    if image.dtype != bool:
      return bytes(int(v) for v in image.reshape(-1))
    text = ''.join('01'[int(bit)] for bit in image.reshape(-1))
    text += '0' * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

  rows = [in_bytes(image) for image in images]
  measured = size_report.measure(images)
  for codec, encode in {
    'gzip': lambda data: gzip.compress(data, compresslevel=9, mtime=0),
    'bz2': lambda data: bz2.compress(data, 9),
    'xz': lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
  }.items():
    assert measured[codec] == {
      'one_by_one': sum(len(encode(row)) for row in rows),
      'together': len(encode(b''.join(rows))),
    }


def test_xz_of_much_is_that_of_the_largest_dictionary():
  image = _noise([1, 700, 400, 1])[0]
  encoded = size_report.encode('xz', np.concatenate([image, image]))
  # The second half is a copy, further back than the smallest one reaches.
  assert image.size < len(encoded) < 1.1 * image.size


def test_eight_black_pixels_in_gzip_are_counted_by_hand():
  images = np.ones([3, 2, 4, 1], bool)
  # A byte 255 takes 9 bits, after 3 of the block and before 7 of its end; there
  # are 10 bytes before the block and 8 behind it.
  lone = 10 + (3 + 9 + 7 + 5) // 8 + 8
  assert size_report.packed(images[0]) == b'\xff'
  measured = size_report.measure(images)
  assert measured['gzip'] == {
    'one_by_one': 3 * lone,
    'together': 10 + (3 + 3 * 9 + 7 + 3) // 8 + 8,
  }


def test_sheets_hold_every_image_in_its_place():
  images = _noise([7, 3, 5, 3])
  column, grid = size_report.sheets(images)
  assert column.shape == (7 * 3, 5, 3)
  # Three columns of width 5, three rows of height 3.
  assert grid.shape == (9, 15, 3)
  for i, image in enumerate(images):
    np.testing.assert_array_equal(column[3 * i : 3 * i + 3], image)
    top, left = 3 * (i // 3), 5 * (i % 3)
    np.testing.assert_array_equal(grid[top : top + 3, left : left + 5], image)
  assert not grid[6:, 5:].any()


@pytest.mark.parametrize('shape', [(2, 9), (9, 2), (5, 5)])
def test_grid_is_nearly_square(shape):
  _, grid = size_report.sheets(np.zeros([200, *shape, 1], bool))
  height, width, _ = grid.shape
  assert 0.7 < height / width < 1.4


@each_kind
def test_together_is_the_smaller_sheet(images):
  measured = size_report.measure(images)
  for codec, options in {
    'png': {'optimize': True},
    'webp': {'lossless': True, 'quality': 100, 'method': 6, 'exact': True},
  }.items():
    sizes = []
    for sheet in size_report.sheets(images):
      file = io.BytesIO()
      pixels = sheet if sheet.shape[-1] == 3 else sheet[..., 0]
      Image.fromarray(pixels).save(file, format=codec.upper(), **options)
      sizes.append(len(file.getvalue()))
    assert measured[codec]['together'] == min(sizes)


def test_webp_has_no_sheet_that_is_too_long():
  # The column is too long, the grid is not.
  images = np.zeros([20, 1000, 1, 1], bool)
  measured = size_report.measure(images)
  grid = size_report.encode('webp', size_report.sheets(images)[1])
  assert measured['webp']['together'] == len(grid)
  wide = np.zeros([1, 1, 16384, 1], bool)
  assert size_report.measure(wide)['webp'] == {
    'one_by_one': None,
    'together': None,
  }
  assert size_report.encode('webp', wide[0, :, 1:]) is not None


def test_pictures_of_other_channels_have_codecs_of_bytes_alone():
  measured = size_report.measure(np.zeros([2, 4, 4, 2], np.uint8))
  assert measured['png'] == {'one_by_one': None, 'together': None}
  assert None not in measured['gzip'].values()


def test_gzip_says_no_time():
  assert size_report.encode('gzip', _CASES['binary'][0])[4:8] == bytes(4)


@pytest.mark.parametrize('codec', ['png', 'tiff', 'webp'])
def test_files_hold_no_words(codec):
  encoded = size_report.encode(codec, _CASES['binary'][0])
  for words in (b'tEXt', b'iTXt', b'tIME', b'pHYs', b'EXIF', b'XMP', b'ICCP'):
    assert words not in encoded
  if codec == 'tiff':
    with Image.open(io.BytesIO(encoded)) as image:
      assert not {305, 306, 315, 270} & set(image.tag_v2)  # Who, when, what.
      assert image.tag_v2[278] == 28 and len(image.tag_v2[273]) == 1
      assert image.info['compression'] == 'group4'


def test_best_is_the_smallest_that_there_is():
  measured = {
    'a': {'one_by_one': 9, 'together': None},
    'b': {'one_by_one': 7, 'together': 5},
    'c': {'one_by_one': 8, 'together': 4},
  }
  assert size_report.best(measured, 'one_by_one') == ('b', 7)
  assert size_report.best(measured, 'together') == ('c', 4)


def test_progress_adds_up_to_the_images():
  told = []
  size_report.measure(_CASES['binary'], told.append)
  assert sum(told) == 5


@pytest.mark.parametrize(
  ('images', 'message'),
  [
    (np.zeros([3, 4, 4], bool), r'`images` must be of shape.*\(3, 4, 4\)'),
    (np.zeros([0, 4, 4, 1], bool), r'not empty.*\(0, 4, 4, 1\)'),
    (np.zeros([1, 4, 4, 1]), r'`images` must be bool or uint8, got float64'),
  ],
)
def test_what_is_no_images_is_refused(images, message):
  with pytest.raises(ValueError, match=message):
    size_report.measure(images)
