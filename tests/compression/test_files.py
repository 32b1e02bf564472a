"""Files give images back, whoever wrote them and with however many threads."""

import dataclasses

import numpy as np
import pytest

import vlae_tf
from vlae_tf import compression
from vlae_tf.formats import container


@pytest.fixture(scope='module')
def exact():
  """A small model, untrained."""
  config = vlae_tf.Config(
    latent_size=3,
    encoder_widths='4',
    encoder_units=8,
    flow_steps=1,
    flow_units=8,
    decoder_units=4,
    decoder_depth=2,
    seed=1,
  )
  return compression.ExactModel(vlae_tf.build_model(config, (5, 6, 1)))


@pytest.fixture(scope='module')
def images():
  """Thirteen random images."""
  return np.random.default_rng(0).integers(0, 2, (13, 5, 6, 1)).astype(bool)


@pytest.fixture(scope='module')
def coder(exact):
  """Five images a chunk, four side by side."""
  return compression.Coder(
    exact, compression.Settings(5, 4, direct_step=2.0), jobs=1
  )


@pytest.fixture(scope='module')
def file(coder, images, tmp_path_factory):
  """The images as a file."""
  path = tmp_path_factory.mktemp('files') / 'images.vlae'
  coder.compress(images, path)
  return path


def _read(coder, path):
  with container.Archive(path) as archive:
    coder.check_header(archive.header, path)
    archive.check()
    payloads = [archive.payload(k) for k in range(archive.header.num_chunks)]
    decoded = dict(coder.decode(archive.header, enumerate(payloads)))
  return np.concatenate([decoded[k] for k in sorted(decoded)])


def test_images_come_back(coder, images, file):
  np.testing.assert_array_equal(_read(coder, file), images)


@pytest.mark.parametrize(
  'jobs', [2, pytest.param(3, marks=pytest.mark.exhaustive('more threads'))]
)
def test_the_number_of_threads_changes_no_byte(
  exact, images, file, tmp_path, jobs
):
  settings = compression.Settings(5, 4, direct_step=2.0)
  other = compression.Coder(exact, settings, jobs)
  other.compress(images, tmp_path / 'a.vlae')
  assert (tmp_path / 'a.vlae').read_bytes() == file.read_bytes()
  np.testing.assert_array_equal(_read(other, file), images)


def test_a_reader_takes_the_settings_of_the_file(exact, images, file):
  np.testing.assert_array_equal(_read(compression.Coder(exact), file), images)


def test_appending_is_writing_at_once(coder, images, file, tmp_path):
  path = tmp_path / 'grown.vlae'
  coder.compress(images[:5], path)
  coder.append(images[5:7], path)  # After a full chunk.
  coder.append(images[7:], path)  # To one that is not full.
  np.testing.assert_array_equal(_read(coder, path), images)
  whole, grown = file.read_bytes(), path.read_bytes()
  assert len(grown) == len(whole)
  assert grown == whole


def test_one_image_is_a_small_file(exact, images, tmp_path):
  coder = compression.Coder(exact)
  sizes = coder.compress(images[:1], tmp_path / 'one.vlae')
  # Header and sums are 26 bytes, a lane begins with 4 and ends with less.
  assert sizes.gross_bits <= sizes.net_bits + 8 * (26 + 4 + 2)
  np.testing.assert_array_equal(_read(coder, tmp_path / 'one.vlae'), images[:1])


def test_what_does_not_come_back_is_not_written(
  coder, images, tmp_path, monkeypatch
):
  decode = compression.LosslessChunks.decode

  def wrong(self, *args):
    found = decode(self, *args)
    found[-1] ^= True
    return found

  monkeypatch.setattr(compression.LosslessChunks, 'decode', wrong)
  with pytest.raises(ValueError, match='images 0 to 4 are not recovered'):
    coder.compress(images, tmp_path / 'images.vlae')
  assert not list(tmp_path.iterdir())


def test_another_arithmetic_is_refused_with_the_reason(coder):
  header = dataclasses.replace(coder.header(3), arithmetic=2)
  with pytest.raises(ValueError, match=r'needs arithmetic 2 .* has 1: install'):
    coder.check_header(header, 'a.vlae')


def test_another_model_is_refused_with_the_reason(coder, exact):
  model = exact.model
  variable = model.posterior.trainable_variables[0]
  before = variable.numpy()
  variable.assign(before + 1.0)
  other = compression.Coder(compression.ExactModel(model))
  variable.assign(before)
  with pytest.raises(ValueError, match='another model, or by another check'):
    other.check_header(coder.header(3), 'a.vlae')


@pytest.mark.parametrize(
  'wrong, words',
  [
    (np.zeros([0, 5, 6, 1], bool), r'`images` must be bool of shape'),
    (np.zeros([2, 5, 6, 1], np.uint8), 'got uint8'),
    (np.zeros([2, 6, 5, 1], bool), r'\[2, 6, 5, 1\]'),
    ([[True]], 'got list'),
  ],
)
def test_other_images_are_refused(coder, tmp_path, wrong, words):
  with pytest.raises(ValueError, match=words):
    coder.compress(wrong, tmp_path / 'a.vlae')
  assert not list(tmp_path.iterdir())


def test_settings_that_no_file_has_are_refused(exact):
  with pytest.raises(ValueError, match='`lanes` must be'):
    compression.Coder(exact, compression.Settings(lanes=3))
  with pytest.raises(ValueError, match='`step` must be'):
    compression.Coder(exact, compression.Settings(step=0.3))
  with pytest.raises(ValueError, match='`jobs` must be'):
    compression.Coder(exact, jobs=-1)


@pytest.mark.parametrize(
  'num', [100, pytest.param(1000, marks=pytest.mark.exhaustive('more damage'))]
)
def test_damage_is_an_error_or_does_not_matter(
  coder, images, file, tmp_path, num
):
  generator = np.random.default_rng(2)
  whole = file.read_bytes()
  refused = 0
  for _ in range(num):
    data = bytearray(whole)
    kind = generator.integers(4)
    place = int(generator.integers(len(data)))
    if kind == 0:
      data[place] ^= 1 << int(generator.integers(8))
    elif kind == 1:
      del data[place:]
    elif kind == 2:
      data[place : place + 8] = generator.bytes(8)
    else:
      data[place:place] = generator.bytes(int(generator.integers(1, 9)))
    (tmp_path / 'damaged.vlae').write_bytes(data)
    try:
      found = _read(coder, tmp_path / 'damaged.vlae')
    except ValueError:
      refused += 1
    else:
      np.testing.assert_array_equal(found, images)
  assert refused > 0.9 * num


def test_a_forged_payload_is_an_error(coder, file):
  with container.Archive(file) as archive:
    header, payload = archive.header, archive.payload(0)
  generator = np.random.default_rng(3)
  for _ in range(20):
    forged = bytearray(payload)
    forged[int(generator.integers(len(forged)))] ^= 1 << generator.integers(8)
    with pytest.raises(ValueError, match=r'chunk 0 \(images 0 to 4\)'):
      list(coder.decode(header, [(0, bytes(forged))]))
