"""Images come back from a chunk, which is as long as the bound says."""

import math

import numpy as np
import pytest
import tensorflow as tf
import toys

import vlae_tf
from vlae_tf import compression
from vlae_tf import data as data_lib
from vlae_tf.compression.chunks import schedule

_SHAPE = (4, 5, 1)
_SMALL = dict(encoder_widths='4', encoder_units=6, flow_steps=2, flow_units=5)


def _chunks(lanes, seed=0, **changes):
  model = toys.small_model(_SHAPE, seed=seed, **(_SMALL | changes))
  return compression.LosslessChunks(compression.ExactModel(model), lanes)


@pytest.fixture(scope='module')
def binary():
  """A codec of binary images on four lanes."""
  return _chunks(4)


def _images(num, seed=0):
  return np.random.default_rng(seed).random((num, *_SHAPE)) < 0.3


def _check(chunks, images):
  """Checks a round trip; the chunk."""
  encoded = chunks.encode(images)
  decoded = chunks.decode(encoded.data, len(images))
  assert decoded.dtype == images.dtype
  np.testing.assert_array_equal(decoded, images)
  # The bytes hold a checksum, the known words that were taken, and what fills
  # up the last byte of the heads: bits that a value did not take.
  taken = 8 * len(encoded.data) - encoded.net_bits
  assert -1e-6 < taken
  return encoded


_MORE = pytest.mark.exhaustive('other numbers of images')


@pytest.mark.parametrize(
  'num',
  [1, 6, 40, *(pytest.param(n, marks=_MORE) for n in (2, 4, 5, 7, 9, 10, 100))],
)
def test_images_come_back(binary, num):
  """Fewer and more than the lanes, the first rounds, and those after them."""
  _check(binary, _images(num))


# Compiled in a third of the time.
_PLAIN = dict(decoder='factorised', prior='gaussian')


@pytest.mark.exhaustive('other numbers of lanes')
@pytest.mark.parametrize('lanes, num', [(1, 9), (32, 47)])
def test_images_come_back_on_few_lanes_and_many(lanes, num):
  """Each with a round that takes bits back."""
  assert schedule(num, lanes)[-1].bits_back
  _check(_chunks(lanes, **_PLAIN), _images(num))


@pytest.fixture(scope='module')
def black():
  """What codes images by a model that is all but sure of zeros."""
  model = toys.small_model(_SHAPE, **_SMALL, **_PLAIN)
  last = model.likelihood.network.trainable_variables[-1]
  last.assign(tf.fill(last.shape, -900.0))
  return compression.LosslessChunks(compression.ExactModel(model), 4)


def test_images_that_a_model_finds_impossible_come_back(black):
  """Ones, and noise."""
  chunks = black
  images = np.concatenate([np.ones((5, *_SHAPE), bool), _images(9)])
  expected = chunks.encode(np.zeros_like(images)).net_bits
  assert expected < images.size
  # At most 24 bits for a pixel; of what is off by this the logits are cut.
  found = _check(chunks, images).net_bits
  assert found - expected > 20 * images.sum()


@pytest.fixture(scope='module')
def without_code():
  """What codes images by a model without a code, on four lanes."""
  return _chunks(4, latent_size=0)


def test_models_without_a_code_are_coded(without_code):
  _check(without_code, _images(8))


@pytest.mark.exhaustive('another law')
def test_models_of_levels_without_a_code_are_coded():
  chunks = _chunks(3, latent_size=0, pixel_distribution='categorical')
  _check(chunks, _images(8).astype(np.uint8) * 200)


@pytest.mark.parametrize(
  'pixel_distribution, lanes',
  [
    ('categorical', 1),
    pytest.param(
      'logistic_mixture',
      3,
      marks=pytest.mark.exhaustive('its symbols come back alone, too'),
    ),
  ],
)
def test_images_of_levels_come_back(pixel_distribution, lanes):
  """On a single lane as well, each with a round that takes bits back."""
  chunks = _chunks(lanes, pixel_distribution=pixel_distribution, **_PLAIN)
  assert schedule(12, lanes)[-1].bits_back
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (12, *_SHAPE)).astype(np.uint8)
  images[7], images[8] = 0, 255
  encoded = _check(chunks, images)
  # Random levels are not to be had for less.
  assert encoded.net_bits > 8 * images[:7].size


def test_bytes_are_the_same_every_time(binary):
  images = _images(40)
  first = binary.encode(images).data
  assert binary.encode(images).data == first
  # By another object, of the same weights.
  other = _chunks(4)
  assert other.encode(images).data == first


def test_messages_grow_where_they_have_no_room(without_code, monkeypatch):
  """By a model that takes little time to compile."""
  images = _images(40)
  data = without_code.encode(images).data
  monkeypatch.setattr('vlae_tf.compression.rans._LEAST_CAPACITY', 8)
  monkeypatch.setattr(without_code, '_capacity', 0)
  assert without_code.encode(images).data == data
  assert without_code._capacity
  np.testing.assert_array_equal(without_code.decode(data, 40), images)


@pytest.mark.exhaustive('compiled for many sizes of messages')
def test_messages_with_bits_back_grow(binary, monkeypatch):
  images = _images(40)
  data = binary.encode(images).data
  monkeypatch.setattr('vlae_tf.compression.rans._LEAST_CAPACITY', 8)
  monkeypatch.setattr(binary, '_capacity', 0)
  assert binary.encode(images).data == data
  np.testing.assert_array_equal(binary.decode(data, 40), images)


def _refused(chunks, data, num):
  """Whether it is; if not, the images that came instead."""
  try:
    return None, chunks.decode(data, num)
  except ValueError:
    return True, None


def test_corrupted_chunks_never_are_other_images(binary):
  rng = np.random.default_rng(0)
  images = _images(17)
  data = binary.encode(images).data
  refused = 0
  for _ in range(50):
    changed = bytearray(data)
    for place in rng.integers(0, len(data), rng.integers(1, 4)):
      changed[place] ^= 1 << rng.integers(8)
    is_refused, found = _refused(binary, bytes(changed), 17)
    refused += bool(is_refused)
    if not is_refused:
      # Bits that only fill up a byte.
      np.testing.assert_array_equal(found, images)
  assert refused > 45


def test_bytes_of_no_chunk_are_refused(binary):
  rng = np.random.default_rng(1)
  data = binary.encode(_images(17)).data
  cases = [
    data[:-4],
    data[4:],
    data[:-1],
    data + bytes(4),
    b'',
    bytes(len(data)),
  ]
  cases += [rng.bytes(n) for n in (1, 20, 24, 100, 400)]
  for case in cases:
    with pytest.raises(ValueError):
      binary.decode(case, 17)
  for num in (1, 16, 18, 60):
    with pytest.raises(ValueError):
      binary.decode(data, num)


def test_chunks_of_another_model_are_refused(binary, black):
  data = black.encode(_images(17)).data
  with pytest.raises(ValueError):
    binary.decode(data, 17)


@pytest.mark.parametrize('name', ['step', 'direct_step'])
def test_steps_are_checked_by_name(binary, name):
  with pytest.raises(ValueError, match=rf'`{name}` must be .*got 0.3'):
    compression.LosslessChunks(binary.exact, 4, **{name: 0.3})


def _bound(model, images, num_draws):
  """-ELBO of images in bits, a mean over draws of the float model."""
  images = tf.constant(images.astype('float32'))

  @tf.function(autograph=False)
  def bits(noise):
    terms = model(images, noise)
    return tf.reduce_sum(terms.distortion + terms.rate) / math.log(2)

  rng = np.random.default_rng(0)
  shape = (len(images), *model.event_shape)
  draws = [
    float(bits(tf.constant(rng.normal(size=shape), tf.float32)))
    for _ in range(num_draws)
  ]
  return np.mean(draws), np.std(draws) / math.sqrt(num_draws)


@pytest.mark.exhaustive('a trained model')
def test_images_take_the_bits_of_the_bound():
  """A trained model, and images that it has not seen.

  All but the first rounds, that is, which cost a code that does not come back.
  """
  model = vlae_tf.from_pretrained('digits')
  grey = data_lib.load('digits').test[:232]
  images = np.random.default_rng(0).random(grey.shape) < grey
  chunks = compression.LosslessChunks(compression.ExactModel(model))
  batches = schedule(len(images), 16)
  direct = sum(batch.size for batch in batches if not batch.bits_back)
  first = chunks.encode(images[:direct]).net_bits
  encoded = _check(chunks, images)
  found = encoded.net_bits - first
  expected, error = _bound(model, images[direct:], 30)
  assert error < 0.002 * expected
  # A hundredth: the noise of one draw for each image is half of it.
  assert found == pytest.approx(expected, rel=0.01)
  # What is not the images' own is little, and divided among all of them.
  assert 8 * len(encoded.data) < 1.03 * encoded.net_bits
