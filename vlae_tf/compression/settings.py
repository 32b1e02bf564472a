"""What files of images are told, and what they tell."""

from typing import NamedTuple

CHUNK_SIZE = 2048
LANES = 16
_STEPS = {'lossless': 1 / 16, 'lossy': 2.0}


class Settings(NamedTuple):
  """How images are coded.

  Attributes:
    chunk_size: Images that are coded, read and lost together.
    lanes: Images that are coded side by side.
    step: Step of the lattice of codes; by default 1/16, of lossy ones 2.
    direct_step: That of the first images of a chunk, which have no bits back;
      by default the best for the first images of a file.
    mode: 'lossless', or 'lossy' for the codes alone, of which other images
      are drawn.
  """

  chunk_size: int = CHUNK_SIZE
  lanes: int = LANES
  step: float | None = None
  direct_step: float | None = None
  mode: str = 'lossless'

  def the_step(self) -> float:
    """The step, or the default of the mode."""
    return _STEPS[self.mode] if self.step is None else self.step


DEFAULT = Settings()


class Sizes(NamedTuple):
  """What images take, in bits.

  Attributes:
    gross_bits: All of the file.
    net_bits: What the images take of it: without header, sums and what was
      taken off messages before there was anything on them.
  """

  gross_bits: int
  net_bits: float
