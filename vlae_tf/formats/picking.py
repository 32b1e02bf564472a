"""Some images of a file, of which no other chunk is read."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from vlae_tf.formats.headers import Header


def chunks_with(header: Header, images: Sequence[int]) -> list[int]:
  """Numbers of the chunks that some images are in; of all, if none is named."""
  if not images:
    return list(range(header.num_chunks))
  return sorted({header.chunk_of(image)[0] for image in images})


class Picked:
  """Images out of some chunks: those of some numbers, or all of them."""

  def __init__(
    self, header: Header, chunks: Sequence[int], images: Sequence[int]
  ):
    self._header, self._images = header, images
    self.num_decoded = sum(len(header.images_of(chunk)) for chunk in chunks)
    self.num_wanted = len(images) or self.num_decoded

  def pick(
    self, parts: Iterable[tuple[int, np.ndarray]]
  ) -> Iterator[np.ndarray]:
    """The images of chunks in order, or those that are wanted, one by one."""
    # -> [num, ...]
    found = {}
    for chunk, images in parts:
      if not self._images:
        yield images
        continue
      for number, image in zip(self._header.images_of(chunk), images):
        if number in self._images:
          found[number] = image
    for number in self._images:
      yield found[number][None]
