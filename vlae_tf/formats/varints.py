"""Whole numbers in as few bytes as they need, seven bits a byte (LEB128)."""

from collections.abc import Callable

MAX_BYTES = 6
MAX = 2 ** (7 * MAX_BYTES) - 1


def encode(value: int) -> bytes:
  """The bytes of a number, its low bits first; all but the last have bit 7.

  >>> encode(300).hex()
  'ac02'

  Args:
    value: Whole number, at least 0.

  Returns:
    Bytes.

  Raises:
    ValueError: It is negative or takes more than `MAX_BYTES`.
  """
  if not 0 <= value <= MAX:
    raise ValueError(f'`value` must be from 0 to {MAX}, got {value}.')
  encoded = bytearray()
  while value > 0x7F:
    encoded.append(value & 0x7F | 0x80)
    value >>= 7
  return bytes([*encoded, value])


def decode(take: Callable[[int], bytes]) -> int:
  r"""Reads a number; only the shortest bytes of it are taken for one.

  >>> import io
  >>> decode(io.BytesIO(b'\xac\x02').read)
  300

  Args:
    take: Reads so many bytes, or raises.

  Returns:
    The number.

  Raises:
    ValueError: It is too long, or another writing of it is shorter.
  """
  value = 0
  for place in range(MAX_BYTES):
    (byte,) = take(1)
    value |= (byte & 0x7F) << 7 * place
    if byte < 0x80:
      if place and not byte:
        raise ValueError('a number takes more bytes than it needs')
      return value
  raise ValueError(f'a number takes more than {MAX_BYTES} bytes')
