"""How the images of a chunk are dealt to the lanes of a message."""

from typing import NamedTuple

# Images of the first rounds, which are coded without bits back: what they leave
# on the message is what later ones take. An image leaves some 150 bits, a lane
# takes 32 to begin with, and bits back take some 400, which come back but for
# what the image itself leaves.
_FIRST = (1, 5, 32)
_THEN = 9


class Round(NamedTuple):
  """Images that are coded side by side.

  Attributes:
    start: Number of the first image.
    size: Number of images, one of each of the first lanes.
    is_direct: Whether they are coded without bits back.
  """

  start: int
  size: int
  is_direct: bool


def deal(num: int, lanes: int, bits_back: bool = True) -> list[Round]:
  """The rounds of a chunk, in the order of a sender.

  >>> [r.size for r in deal(200, 32)]
  [1, 5, 32, 9, 12, 16, 21, 28, 32, 32, 12]

  Args:
    num: Number of images.
    lanes: Number of lanes.
    bits_back: Whether there are any; without, all rounds are direct.

  Returns:
    A list of `Round`s.
  """
  rounds: list[Round] = []
  done, size = 0, _THEN
  while done < num:
    is_first = len(rounds) < len(_FIRST)
    wanted = _FIRST[len(rounds)] if is_first else size if bits_back else lanes
    if not is_first:
      size += max(1, size // 3)
    taken = min(wanted, lanes, num - done)
    rounds.append(Round(done, taken, is_first or not bits_back))
    done += taken
  return rounds
