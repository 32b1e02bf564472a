"""Recovery of intact chunks from damaged `.vlae` files."""

import os
from typing import BinaryIO, NamedTuple

from vlae_tf.formats import container, layout
from vlae_tf.formats.layout import Header


class Salvaged(NamedTuple):
  """Contents of a file that could be read."""

  header: Header
  payloads: dict[int, bytes]  # Of intact chunks, by number.
  messages: list[str]  # Damage and lost images; none for an intact file.


def salvage(path: str | os.PathLike) -> Salvaged:
  """Reads all intact chunks, wherever the file is damaged."""
  # If the header is damaged, the trailer has a copy. Each chunk is looked for
  # at its distance from the start and at that from the end, and recognised by
  # its CRC-32: missing or added bytes cost only the chunk that they are in.
  file, size = layout.open_file(path)
  with file:
    try:
      parsed, messages = _find_header(file, size)
      shift = size - parsed.file_size
      if shift:
        messages.append(
          f'{abs(shift)} bytes are {"missing" if shift < 0 else "too many"}'
        )
      elif not messages:
        try:
          container.check_trailer(file, parsed)
        except ValueError as error:
          messages.append(f'the file {error}')
      payloads, lost = _find_chunks(file, size, parsed)
    except ValueError as error:
      raise ValueError(f'{path} {error}.') from error
    except OSError as error:
      raise ValueError(f'Cannot read {path}: {error}.') from error
  return Salvaged(parsed.header, payloads, messages + lost)


def _find_header(file, size):
  """The header, from the start or else the trailer, and messages."""
  try:
    return layout.read(file, 0, size), []
  except ValueError as error:
    why = str(error)
  try:
    return _read_trailer(file, size), [f'the file {why}; its trailer is used']
  except ValueError as error:
    raise ValueError(
      f'{why}; and at its end is no header, either: the file read from there '
      f'{error}'
    ) from error


def _read_trailer(file: BinaryIO, size: int) -> layout.Parsed:
  end = size - layout.LENGTH_BYTES
  if end < 0:
    raise ValueError('is cut short')
  file.seek(end)
  length = int.from_bytes(file.read(layout.LENGTH_BYTES), 'little')
  if length > end:
    raise ValueError(f'has no {length} bytes of a header')
  return layout.read(file, end - length, end)


def _find_chunks(file, size, parsed):
  """Payloads by number, and messages about lost chunks."""
  payloads = {}
  lost: list[list[tuple[int, str]]] = []  # Runs of chunks of one reason.
  for chunk in range(len(parsed.index)):
    found, why = _find_chunk(file, size, parsed, chunk)
    if found is not None:
      payloads[chunk] = found
    elif lost and lost[-1][-1] == (chunk - 1, why):
      lost[-1].append((chunk, why))
    else:
      lost.append([(chunk, why)])
  return payloads, [_message(parsed.header, run) for run in lost]


def _find_chunk(file, size, parsed, chunk):
  """A payload or None, and why it is None."""
  start, length, crc = parsed.index.chunk(chunk)
  start += parsed.length
  beyond = start + length > size
  from_end = start + size - parsed.file_size
  for place in dict.fromkeys((start, from_end)):
    if 0 <= place <= size - length:
      file.seek(place)
      found = file.read(length)
      if layout.crc_of(parsed.header, chunk, found) == crc:
        return found, ''
  return None, 'beyond the end of the file' if beyond else 'damaged'


def _message(header, run):
  (first, why), (last, _) = run[0], run[-1]
  is_lost = 'is lost' if first == last else 'are lost'
  return f'{container.places(header, first, last)} {is_lost}: {why}'
