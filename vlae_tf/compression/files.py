"""From images to files and back: chunks in parallel, checked both ways."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from vlae_tf.compression import (
  chunks,
  exact_model,
  lattice_search,
  lossless,
  lossy,
  matching,
)
from vlae_tf.compression.settings import DEFAULT, Settings, Sizes
from vlae_tf.formats import container, layout
from vlae_tf.utils import checks, devices

_DIRECT_STEPS = (4.0, 3.0, 2.0, 1.5, 1.0, 0.5)
_LANES_OF_TRIALS = 32
_MANY = 1 << 20  # Images that use all lanes.


class Coder:
  """Codes images as files of a model, see `docs/format.md`."""

  def __init__(
    self,
    exact: exact_model.ExactModel,
    settings: Settings = DEFAULT,
    jobs: int | None = None,
  ):
    """Creates it.

    Args:
      exact: `ExactModel`.
      settings: `Settings`; files say their own, for a reader they do not
        matter.
      jobs: Chunks that are coded at a time; by default as many as there are
        processors.

    Raises:
      ValueError: A setting is none that files have.
    """
    self._exact = exact
    self._settings = settings
    self._jobs = checks.integer('jobs', jobs or os.cpu_count() or 1, 1)
    self._chunks: dict[Any, chunks.Chunks] = {}
    self.header(_MANY)  # Raises for what no file can say.

  def header(
    self, count: int, images: np.ndarray | None = None
  ) -> layout.Header:
    """The header of a file of so many images, these among them."""
    own = self._settings
    lanes, step, direct_step = own.lanes, own.the_step(), own.direct_step
    if own.mode == 'lossy':
      lanes, direct_step = 1, step
    elif direct_step is None:
      direct_step = _DIRECT_STEPS[0]
      if images is not None:
        direct_step = self._best_step(images)
    return layout.Header(
      mode=own.mode,
      fingerprint=self._exact.fingerprint,
      image_shape=tuple(self._exact.model.image_shape),
      count=count,
      # What a file never uses would cost it a byte.
      chunk_size=min(own.chunk_size, count),
      lanes=min(lanes, 1 << (count - 1).bit_length()),
      step=step,
      direct_step=direct_step,
      arithmetic=exact_model.ARITHMETIC,
    )

  def compress(
    self,
    images: np.ndarray,
    out: str | os.PathLike,
    verify: bool = True,
    progress: Callable[[int], Any] | None = None,
    overwrite: bool = False,
  ) -> Sizes:
    """Writes a file of images.

    Args:
      images: Array of shape `[num, height, width, channels]`: bool, or uint8
        for a model of 256 levels.
      out: Path of the file.
      verify: Whether to decode every chunk before it is written.
      progress: Called with numbers of images that are done.
      overwrite: Whether a file that is there may be replaced.

    Returns:
      `Sizes`.

    Raises:
      ValueError: They are no such images, or the file is there already or
        cannot be written. What was there stays.
    """
    matching.check_images(self._exact, images)
    header = self.header(len(images), images)
    values = self._values(header, images)
    net: list[float] = []

    def payloads():
      for encoded in self.encoded(header, values, verify, progress):
        net.append(encoded.net_bits)
        yield encoded.data

    container.write(out, header, payloads(), overwrite)
    return Sizes(8 * os.path.getsize(out), sum(net))

  def append(
    self,
    images: np.ndarray,
    path: str | os.PathLike,
    verify: bool = True,
    progress: Callable[[int], Any] | None = None,
  ) -> Sizes:
    """Puts images behind those of a file, which stays as it was if this fails.

    Args:
      images: As in `compress`.
      path: Path of the file.
      verify: As in `compress`.
      progress: As in `compress`.

    Returns:
      `Sizes` of the whole file; its net bits are those of the chunks that were
      made anew.

    Raises:
      ValueError: See `compress`; or the file is not of this model.
    """
    matching.check_images(self._exact, images)
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

      def payloads():
        for encoded in self.encoded(rest, values, verify, progress):
          net.append(encoded.net_bits)
          yield encoded.data

      container.append(archive, len(images), payloads())
    return Sizes(8 * os.path.getsize(path), sum(net))

  def check_header(self, header: layout.Header, path: Any) -> None:
    """Checks that a file is of this model, see `matching.check_header`."""
    matching.check_header(self._exact, header, path)

  def decode(
    self,
    header: layout.Header,
    payloads: Iterable[tuple[int, bytes]],
    progress: Callable[[int], Any] | None = None,
  ) -> Iterator[tuple[int, np.ndarray]]:
    """The images of some chunks.

    Args:
      header: Header of their file, see `check_header`.
      payloads: Pairs of a chunk's number and of its bytes.
      progress: Called with numbers of images that are done.

    Yields:
      Pairs of a chunk's number and of its images, in the same order; of a lossy
      file, of the points of a lattice that their codes are.

    Raises:
      ValueError: A payload does not hold its images; the message names them.
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
    progress: Callable[[int], Any] | None = None,
  ) -> Iterator[chunks.Encoded]:
    """Codes the chunks of a file.

    Args:
      header: Its header.
      values: All images, or points of a lattice in their place.
      verify: Whether to decode each chunk as well.
      progress: Called with numbers of images that are done.

    Yields:
      A `chunks.Encoded` of each, in order.

    Raises:
      ValueError: A chunk does not come back as it was.
    """
    coder, progress = self._chunks_of(header), devices.locked(progress)

    def encode(number):
      part = header.images_of(number)
      own = values[part.start : part.stop]
      encoded = coder.encode(own, None if verify else progress)
      if verify:
        found = coder.decode(encoded.data, len(own), progress)
        if not np.array_equal(found, own):
          raise ValueError(
            f'images {part[0]} to {part[-1]} do not come back as they were; '
            'nothing was written'
          )
      return encoded

    yield from devices.threaded_map(
      encode, range(header.num_chunks), self._jobs
    )

  def _best_step(self, images):
    """The direct step at which the first images take the fewest bits."""
    lanes = min(len(images), _LANES_OF_TRIALS)

    def bits(step):
      trial = lossless.LosslessChunks(self._exact, lanes, direct_step=step)
      return trial.direct_bits(images[:lanes])

    return min(_DIRECT_STEPS, key=bits)

  def _chunks_of(self, header):
    """What codes the chunks of a file; compiled once for all alike."""
    key = header.mode, header.lanes, header.step, header.direct_step
    if key not in self._chunks:
      _, lanes, *steps = key
      if header.mode == 'lossy':
        made: chunks.Chunks = lossy.LossyChunks(self._exact, header.step)
      else:
        made = lossless.LosslessChunks(self._exact, lanes, *steps)
      self._chunks[key] = made
    return self._chunks[key]

  def _values(self, header, images):
    """What is coded of images."""
    if header.mode == 'lossless':
      return images
    numbers = images.astype(np.float32) / (1 if images.dtype == bool else 255)
    model = self._exact.original
    return lattice_search.codes_of(model, numbers, header.step)
