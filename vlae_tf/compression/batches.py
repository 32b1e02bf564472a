"""How the images of a chunk are dealt to the lanes of a message."""

from typing import NamedTuple

# The first images are coded without bits back: what they leave on the message
# is what later ones take. An image leaves some 120 bits or more, a lane takes
# 32 to begin with, and bits back take some 400, which come back but for what
# the image itself leaves.
_FIRST = (1, 5)
_DIRECT = 38
_DIRECT_OF_A_LANE = 3
_THEN = 9


class Round(NamedTuple):
  """Images that are coded side by side."""

  start: int  # Number of the first image.
  size: int  # Number of images, one of each of the first lanes.
  is_direct: bool  # Whether they are coded without bits back.


def deal(num: int, lanes: int, bits_back: bool = True) -> list[Round]:
  """The rounds of a chunk, in the order of a sender.

  >>> [r.size for r in deal(100, 16)]
  [1, 5, 16, 16, 9, 12, 16, 16, 9]

  Args:
    num: Number of images.
    lanes: Number of lanes.
    bits_back: Whether there are any; without, all rounds are direct.

  Returns:
    A list of `Round`s.
  """
  rounds: list[Round] = []
  direct = min(_DIRECT, _DIRECT_OF_A_LANE * lanes + 1) if bits_back else num
  done, size = 0, _THEN
  while done < num:
    is_direct = done < direct
    wanted = lanes if is_direct else size
    if len(rounds) < len(_FIRST):
      wanted = _FIRST[len(rounds)]
    elif not is_direct:
      size += max(1, size // 3)
    taken = min(wanted, lanes, num - done)
    rounds.append(Round(done, taken, is_direct))
    done += taken
  return rounds
