"""What files of images are told, and what they tell."""

from typing import NamedTuple

CHUNK_SIZE = 2048
LANES = 32


class Settings(NamedTuple):
  """How images are coded.

  Attributes:
    chunk_size: Images that are coded, read and lost together.
    lanes: Images that are coded side by side.
    step: Step of the lattice of codes.
    direct_step: That of the first images of a chunk, which have no bits back;
      by default the best for the first images of a file.
  """

  chunk_size: int = CHUNK_SIZE
  lanes: int = LANES
  step: float = 1 / 16
  direct_step: float | None = None


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
