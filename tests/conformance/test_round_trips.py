"""What is written and read, or drawn in other batches, is the same."""

import dataclasses
import re

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from vlae_tf import data
from vlae_tf.models import config as config_lib
from vlae_tf.runs import records


def _numbers(most):
  """Strategy of integers, separated by commas."""
  several = st.lists(st.integers(1, most), min_size=1, max_size=4)
  return several.map(lambda values: ','.join(map(str, values)))


_TEXTS = {
  'dataset': st.text(min_size=1),
  'encoder_widths': _numbers(512),
  'encoder_blocks': _numbers(9),
  'window': st.tuples(*2 * [st.integers(1, 20)]).map(
    lambda size: f'{size[0]}x{size[1]}'
  ),
}


def _values(field):
  """Strategy of the values of a field of `Config`."""
  kind, meta = field.type, field.metadata
  low, high = meta['lower'], meta['upper']
  if kind is bool:
    return st.booleans()
  if meta['choices']:
    return st.sampled_from(list(meta['choices']))
  if kind is int:
    return st.integers(low, 2**62 if high is None else high)
  if kind is float:
    return st.floats(low, high, allow_nan=False, allow_infinity=False)
  return _TEXTS[field.name]


@st.composite
def _configs(draw):
  """Configs that differ from the default in some fields."""
  fields = draw(
    st.lists(
      st.sampled_from(dataclasses.fields(config_lib.Config)), max_size=12
    )
  )
  values = {field.name: draw(_values(field)) for field in fields}
  try:
    return config_lib.Config(**values)
  except ValueError:  # Of two fields that do not go together.
    assume(False)


@given(_configs())
@example(config_lib.Config(dataset='--seed=3 "x" \n', learning_rate=1.2e-38))
def test_a_config_is_that_of_its_flags_and_of_its_file(tmp_path, config):
  fields = dataclasses.asdict(config)
  args = [config_lib.as_arg(name, value) for name, value in fields.items()]
  assert config_lib.from_args(args) == config
  # Later arguments win.
  assert config_lib.from_args(['--preset=omniglot', *args]) == config
  records.write_config(tmp_path, config)
  assert records.read_config(tmp_path) == config
  assert not records.config_differences(config, records.read_config(tmp_path))


@given(st.sampled_from(dataclasses.fields(config_lib.Config)), st.data())
def test_a_value_is_refused_by_flags_and_config_alike(field, draw):
  """By name, in one line."""
  wrong = st.integers() | st.floats() | st.text(max_size=5)
  value = draw.draw(wrong)
  try:
    config = config_lib.Config(**{field.name: value})
  except ValueError as error:
    assert re.match(r'`\w+` must ', str(error))
  else:
    assert config_lib.Config(**dataclasses.asdict(config)) == config
    args = [config_lib.as_arg(field.name, getattr(config, field.name))]
    assert config_lib.from_args(args) == config


# ---- Images


def _images(dtype, elements=None, channels=(1, 3)):
  """Strategy of images `[3..6, height, width, channels]`."""
  sizes = st.tuples(
    st.integers(3, 6),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from(channels),
  )
  return hnp.arrays(dtype, sizes, elements=elements)


def _assert_split(loaded, images):
  """Each of the images is in one of the splits."""
  splits = [loaded.train, loaded.validation, loaded.test]
  assert [len(s) for s in splits] == [len(images) - 2, 1, 1]
  found = sorted(x.tobytes() for s in splits for x in s)
  assert found == sorted(x.tobytes() for x in images)
  assert {s.dtype for s in splits} == {images.dtype}


_MEANS = st.floats(0, 1, width=32)


@given(
  _images(bool) | _images(np.uint8) | _images(np.float32, _MEANS, channels=[1])
)
def test_arrays_are_read_as_they_are(tmp_path, images):
  assume(images.dtype != np.uint8 or images.max() > 1)
  path = tmp_path / 'images.npz'
  np.savez(path, images)
  _assert_split(data.load(path), images)
  parts = dict(train=images[:-2], validation=images[-2:-1], test=images[-1:])
  assume(images.dtype != np.uint8 or min(x.max() for x in parts.values()) > 1)
  np.savez(path, **parts)
  loaded = data.load(path)
  for split, part in parts.items():
    np.testing.assert_array_equal(getattr(loaded, split), part)


@given(_images(np.uint8, channels=[1]), st.sampled_from(['png', 'bmp', 'tiff']))
def test_grey_files_are_read_as_they_are(tmp_path, images, suffix):
  assume(images.max() > 1)
  for path in tmp_path.iterdir():
    path.unlink()
  for k, image in enumerate(images):
    Image.fromarray(image[..., 0]).save(tmp_path / f'{k}.{suffix}')
  _assert_split(data.load(tmp_path), images)


@pytest.mark.parametrize('suffix', ['png', 'npz'])
@given(st.integers(0, 10**6), st.binary(max_size=6), st.booleans())
def test_damaged_images_are_read_or_refused(tmp_path, suffix, at, noise, cut):
  """Without any other error."""
  images = np.arange(5 * 12, dtype=np.uint8).reshape(5, 4, 3)
  if suffix == 'npz':
    path = place = tmp_path / 'images.npz'
    np.savez(path, images)
  else:
    place, path = tmp_path, tmp_path / '0.png'
    for k, image in enumerate(images):
      Image.fromarray(image).save(tmp_path / f'{k}.png')
  whole = path.read_bytes()
  at %= len(whole)
  rest = b'' if cut else whole[at + len(noise) :]
  path.write_bytes(whole[:at] + noise + rest)
  try:
    loaded = data.load(place)
  except ValueError as error:
    assert str(place) in str(error)
  else:
    assert loaded.train.dtype == np.uint8


# ---- Binarisation

# Each example is traced anew.
_few = settings(max_examples=settings.default.max_examples // 10)


@_few
@given(
  _images(np.uint8),
  st.integers(1, 7),
  st.integers(0, 2**31 - 2),
  st.sampled_from(['train', 'validation', 'test']),
  st.data(),
)
def test_a_binary_image_is_a_function_of_its_number(
  images, batch_size, seed, split, draw
):
  """Whatever is scored beside it, and however many at a time."""
  whole = data.fixed_binarization(images, split, seed, 'grey')
  assert set(np.unique(whole)) <= {0.0, 1.0}
  # A mean of 0 or 1 leaves no choice.
  assert not whole[images == 0].any() and whole[images == 255].all()
  numbers = draw.draw(st.lists(st.integers(0, len(images) - 1), min_size=1))
  batches = data.evaluation_batches(
    images, batch_size, seed, split, 'grey', numbers
  )
  found = list(batches.as_numpy_iterator())
  assert all(len(b['image']) == batch_size for b in found[:-1])
  np.testing.assert_array_equal(
    np.concatenate([b['index'] for b in found]), numbers
  )
  np.testing.assert_array_equal(
    np.concatenate([b['image'] for b in found]), whole[numbers]
  )


@_few
@given(
  _images(np.uint8),
  st.sampled_from([1, 2, 3]),
  st.integers(1, 3),
  st.integers(0, 30),
  st.integers(0, 2**31 - 2),
)
def test_a_training_batch_is_a_function_of_its_step(
  images, num_replicas, size, start, seed
):
  """Of any replica that serves it, and wherever one begins."""

  def batches(start, **kwargs):
    made = data.training_batches(
      images, num_replicas * size, seed, start, kind='grey', **kwargs
    )
    return made.as_numpy_iterator()

  running, later = batches(start), batches(start + 1)
  one, resumed = next(running), next(later)
  for name, value in next(running).items():
    np.testing.assert_array_equal(value, resumed[name])
  parts = batches(start, num_replicas=num_replicas)
  served = [next(parts) for _ in range(num_replicas)]
  for name in ('image', 'slot', 'index'):
    joined = np.concatenate([part[name] for part in served])
    np.testing.assert_array_equal(joined, one[name])
  assert {int(part['step']) for part in served} == {start}
  source = images[one['index']]
  assert not one['image'][source == 0].any()
  assert one['image'][source == 255].all()
