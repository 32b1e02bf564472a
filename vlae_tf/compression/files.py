"""Compressed files of images: encoding, appending and decoding."""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from vlae_tf.compression import chunks, lossy
from vlae_tf.compression.exact_model import ARITHMETIC, ExactModel
from vlae_tf.formats import container, layout
from vlae_tf.utils import checks, devices

CHUNK_SIZE = 2048
LANES = 16
_STEPS = {'lossless': 1 / 16, 'lossy': 2.0}
_DIRECT_STEPS = (4.0, 3.0, 2.0, 1.5, 1.0, 0.5)
_LANES_OF_TRIALS = 32
_MANY = 1 << 20  # Images that use all lanes.


class Settings(NamedTuple):
  """Settings of a compressed file."""

  chunk_size: int = CHUNK_SIZE  # Images that are coded, read and lost together.
  lanes: int = LANES  # Images that are coded side by side.
  # Of the lattice of latents; by default 1/16, of lossy files 2.
  step: float | None = None
  # Step for the first images of a chunk, which are coded without bits back; by
  # default the best for the first images of a file.
  direct_step: float | None = None
  # Or 'lossy', for latents alone, from which the decoder samples images.
  mode: str = 'lossless'


DEFAULT = Settings()


class Sizes(NamedTuple):
  """Size of a file in bits."""

  gross_bits: int  # All of the file.
  net_bits: float  # Of the images: without header, checksums and initial bits.


class Coder:
  """Codes images as files of a model, see `docs/format.md`."""

  def __init__(
    self,
    exact: ExactModel,
    settings: Settings = DEFAULT,
    jobs: int | None = None,
  ):
    """Creates the coder.

    The settings are for writing; files to read have their own. `jobs` chunks
    are coded at a time, by default as many as there are processors.

    Raises:
      ValueError: A setting is not one that a file can have.
    """
    self._exact = exact
    self._settings = settings
    self._jobs = checks.integer('jobs', jobs or os.cpu_count() or 1, 1)
    self._chunks: dict[Any, chunks.Chunks] = {}
    self.header(_MANY)  # Raises if the settings are invalid.

  def header(
    self, count: int, images: np.ndarray | None = None
  ) -> layout.Header:
    """The header of a file of `count` images, of which some may be given."""
    chunk_size, lanes, step, direct_step, mode = self._settings
    step = _STEPS[mode] if step is None else step
    if mode == 'lossy':
      lanes, direct_step = 1, step
    elif direct_step is None:
      direct_step = _DIRECT_STEPS[0]
      if images is not None:
        direct_step = self._best_direct_step(images)
    return layout.Header(
      mode=mode,
      fingerprint=self._exact.fingerprint,
      image_shape=tuple(self._exact.model.image_shape),
      count=count,
      # Larger numbers than a file uses would cost it a byte.
      chunk_size=min(chunk_size, count),
      lanes=min(lanes, 1 << (count - 1).bit_length()),
      step=step,
      direct_step=direct_step,
      arithmetic=ARITHMETIC,
    )

  def compress(
    self,
    images: np.ndarray,
    out: str | os.PathLike,
    verify: bool = True,
    progress: chunks.Progress = None,
    overwrite: bool = False,
  ) -> Sizes:
    """Writes a file of images `[num, height, width, channels]`.

    They are bool, or uint8 for a model of 256 levels. With `verify`, every
    chunk is decoded before it is written. `progress` is called with the number
    of images of each batch that is done.

    Raises:
      ValueError: The images are not of the model, or the file exists or cannot
        be written. An existing file stays.
    """
    self._check_images(images)
    header = self.header(len(images), images)
    values = self._values(header, images)
    net: list[float] = []
    payloads = self._payloads(header, values, verify, progress, net)
    container.write(out, header, payloads, overwrite)
    return Sizes(8 * os.path.getsize(out), sum(net))

  def append(
    self,
    images: np.ndarray,
    path: str | os.PathLike,
    verify: bool = True,
    progress: chunks.Progress = None,
  ) -> Sizes:
    """Appends images to a file of this model, which stays if that fails.

    See `compress` for arguments and errors. The gross size is that of the whole
    file, the net size that of its new chunks alone.
    """
    self._check_images(images)
    net: list[float] = []
    with container.Archive(path) as archive:
      self.check_header(archive.header, path)
      values = self._values(archive.header, images)
      first = archive.header.full_chunks
      if first < archive.header.num_chunks:
        last = self._chunks_of(archive.header).decode(
          archive.payload(first), len(archive.header.images_of(first))
        )
        values = np.concatenate([last, values])
      rest = dataclasses.replace(archive.header, count=len(values))
      payloads = self._payloads(rest, values, verify, progress, net)
      container.append(archive, len(images), payloads)
    return Sizes(8 * os.path.getsize(path), sum(net))

  def check_header(self, header: layout.Header, path: Any) -> None:
    """Checks that a file is of this model and of this arithmetic."""
    if header.arithmetic != ARITHMETIC:
      raise ValueError(
        f'{path} needs arithmetic {header.arithmetic} for its probabilities, '
        f'and this version of vlae_tf has {ARITHMETIC}: install the version '
        'that wrote it.'
      )
    own = self._exact.fingerprint
    shape = tuple(self._exact.model.image_shape)
    if header.fingerprint != own or tuple(header.image_shape) != shape:
      raise ValueError(
        f'{path} was written by another model, or by another checkpoint of '
        f'it: its fingerprint is {header.fingerprint.hex()} and its image '
        f'shape {list(header.image_shape)}, those of this model are '
        f'{own.hex()} and {list(shape)}.'
      )

  def decode(
    self,
    header: layout.Header,
    payloads: Iterable[tuple[int, bytes]],
    progress: chunks.Progress = None,
  ) -> Iterator[tuple[int, np.ndarray]]:
    """Decodes chunks of a file whose header passed `check_header`.

    Maps pairs of a chunk's number and its bytes to pairs of the number and the
    images; of a lossy file, its lattice points in units of the step.

    Raises:
      ValueError: A payload is not that of its images; the message names them.
    """
    coder, progress = self._chunks_of(header), devices.locked(progress)

    def decode(pair):
      number, payload = pair
      images = header.images_of(number)
      try:
        return number, coder.decode(payload, len(images), progress)
      except ValueError as error:
        raise ValueError(
          f'chunk {number} (images {images[0]} to {images[-1]}) cannot be '
          f'decoded: {error}'
        ) from error

    yield from devices.threaded_map(decode, payloads, self._jobs)

  def encoded(
    self,
    header: layout.Header,
    values: np.ndarray,
    verify: bool = True,
    progress: chunks.Progress = None,
  ) -> Iterator[chunks.Encoded]:
    """Encodes the chunks of a file in order, and decodes them to verify them.

    Values are images, or lattice points in their place.
    """
    coder, progress = self._chunks_of(header), devices.locked(progress)

    def encode(number):
      images = header.images_of(number)
      part = values[images.start : images.stop]
      encoded = coder.encode(part, None if verify else progress)
      if verify:
        found = coder.decode(encoded.data, len(part), progress)
        if not np.array_equal(found, part):
          raise ValueError(
            f'images {images[0]} to {images[-1]} are not recovered by '
            'decoding; nothing was written'
          )
      return encoded

    yield from devices.threaded_map(
      encode, range(header.num_chunks), self._jobs
    )

  def _payloads(self, header, values, verify, progress, net):
    """Bytes of the chunks; their net bits are appended to a list."""
    for encoded in self.encoded(header, values, verify, progress):
      net.append(encoded.net_bits)
      yield encoded.data

  def _best_direct_step(self, images):
    """The step at which the first images take the fewest bits."""
    lanes = min(len(images), _LANES_OF_TRIALS)

    def bits(step):
      trial = chunks.LosslessChunks(self._exact, lanes, direct_step=step)
      return trial.direct_bits(images[:lanes])

    return min(_DIRECT_STEPS, key=bits)

  def _chunks_of(self, header):
    """The codec of a file's chunks, compiled once for all alike."""
    key = header.mode, header.lanes, header.step, header.direct_step
    if key not in self._chunks:
      if header.mode == 'lossy':
        self._chunks[key] = chunks.LossyChunks(self._exact, header.step)
      else:
        self._chunks[key] = chunks.LosslessChunks(self._exact, *key[1:])
    return self._chunks[key]

  def _values(self, header, images):
    """The images, or their lattice points if the file is lossy."""
    if header.mode == 'lossless':
      return images
    numbers = chunks.as_numbers(images, np.float32)
    return lossy.find_points(self._exact.original, numbers, header.step)

  def _check_images(self, images):
    dtype = np.dtype(np.uint8 if chunks.has_levels(self._exact.model) else bool)
    shape = tuple(self._exact.model.image_shape)
    if (
      not isinstance(images, np.ndarray)
      or images.dtype != dtype
      or images.shape[1:] != shape
      or not len(images)
    ):
      raise ValueError(
        f'`images` must be {dtype.name} of shape [num, '
        f'{", ".join(map(str, shape))}], as those of the model, got '
        f'{getattr(images, "dtype", type(images).__name__)} of shape '
        f'{list(np.shape(images))}.'
      )
