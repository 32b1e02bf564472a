"""Images that a codec gives back."""

import tracemalloc
import zipfile

import numpy as np
import pytest

from vlae_tf.data import collections


def _numbers(shape):
  return np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)


def _bits(shape):
  return _numbers(shape) > 100


@pytest.mark.parametrize(
  'images', [_bits((9, 4, 3, 1)), _numbers((9, 4, 3, 3))]
)
@pytest.mark.parametrize('sizes', [(9,), (4, 4, 1), (1,) * 9])
def test_what_is_written_numpy_and_read_give_back(images, sizes, tmp_path):
  parts = np.split(images, np.cumsum(sizes)[:-1])
  path = tmp_path / 'new' / 'b.npz'
  collections.write(path, iter(parts), 9)
  with np.load(path, allow_pickle=False) as contents:
    assert list(contents) == ['images']
    assert contents['images'].dtype == images.dtype
    np.testing.assert_array_equal(contents['images'], images)
  np.testing.assert_array_equal(collections.read(path).images, images)
  with zipfile.ZipFile(path) as archive:
    assert archive.testzip() is None
  assert [p.name for p in path.parent.iterdir()] == ['b.npz']


def test_parts_need_not_be_contiguous(tmp_path):
  images = _numbers((4, 6, 5, 3))
  collections.write(tmp_path / 'b.npz', [images[:, ::-1].swapaxes(1, 2)], 4)
  read = collections.read(tmp_path / 'b.npz').images
  np.testing.assert_array_equal(read, images[:, ::-1].swapaxes(1, 2))


def test_same_images_are_the_same_file(tmp_path):
  images = _bits((5, 4, 3, 1))
  for name, sizes in (('a.npz', [2]), ('b.npz', [1, 4])):
    collections.write(tmp_path / name, np.split(images, sizes), 5)
  a, b = ((tmp_path / name).read_bytes() for name in ('a.npz', 'b.npz'))
  assert a == b
  with zipfile.ZipFile(tmp_path / 'a.npz') as archive:
    # As early as the format has it.
    assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_memory_is_that_of_one_part(tmp_path):
  part_size, num_parts = 1 << 20, 30

  def parts():
    for _ in range(num_parts):
      yield np.zeros([part_size >> 10, 32, 32, 1], np.uint8)

  tracemalloc.start()
  collections.write(tmp_path / 'b.npz', parts(), num_parts * part_size >> 10)
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert (tmp_path / 'b.npz').stat().st_size > num_parts * part_size
  assert peak < 4 * part_size


_PART = _bits((2, 4, 3, 1))


@pytest.mark.parametrize(
  ('parts', 'count', 'message'),
  [
    ([_PART], 3, r'`parts` must hold `count` images, 3, got 2'),
    ([_PART, _PART], 3, r'`parts` must hold `count` images, 3, got 4'),
    ([], 0, r'`parts` must hold images, got none'),
    ([_PART[..., 0]], 2, r'`parts` must be an array of shape'),
    ([_PART.astype(np.float32)], 2, r'`parts` must be bool or uint8.*float32'),
    ([_PART, _PART.view(np.uint8)], 4, r'like the first, bool.*got uint8'),
    ([_PART, _PART[:, 1:]], 4, r'like the first.*\(4, 3, 1\).*\(3, 3, 1\)'),
  ],
)
def test_bad_parts_leave_what_was_there(parts, count, message, tmp_path):
  path = tmp_path / 'b.npz'
  path.write_bytes(b'precious')
  with pytest.raises(ValueError, match=message):
    collections.write(path, parts, count, overwrite=True)
  assert path.read_bytes() == b'precious'
  assert [p.name for p in tmp_path.iterdir()] == ['b.npz']


def test_interrupt_leaves_nothing(tmp_path):
  def parts():
    yield _PART
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    collections.write(tmp_path / 'b.npz', parts(), 4)
  assert not list(tmp_path.iterdir())


def test_file_that_is_there_is_kept_unless_told(tmp_path):
  path = tmp_path / 'b.npz'
  collections.write(path, [_PART], 2)
  with pytest.raises(ValueError, match='`out` must be a new file'):
    collections.write(path, [_PART, _PART], 4)
  assert len(collections.read(path).images) == 2
  collections.write(path, [_PART, _PART], 4, overwrite=True)
  assert len(collections.read(path).images) == 4
  with pytest.raises(ValueError, match=r'`out` must end in \.npz'):
    collections.write(tmp_path / 'b.png', [_PART], 2)
