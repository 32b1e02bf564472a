"""Reads what is left of a damaged file of compressed images."""

import os
from typing import BinaryIO, NamedTuple

from vlae_tf.formats import container, layout
from vlae_tf.formats.layout import Header


class Salvaged(NamedTuple):
  """What could be read of a file."""

  header: Header  # Its `Header`.
  # Bytes of the chunks that are whole, by their numbers.
  payloads: dict[int, bytes]
  # What is wrong with the file and which images are lost; none for a file that
  # is whole.
  messages: list[str]


def salvage(path: str | os.PathLike) -> Salvaged:
  """Reads all chunks that are whole, wherever the file is damaged."""
  # The header may be that of the trailer. A chunk is looked for as far from the
  # start as it should be, and as far from the end: bytes that are missing or
  # too many in one place cost no chunk but those that they are in. Its CRC-32
  # says whether it is there.
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
        messages = _look_at_trailer(file, parsed)
      payloads, lost = _find_chunks(file, size, parsed)
    except ValueError as error:
      raise ValueError(f'{path} {error}.') from error
    except OSError as error:
      raise ValueError(f'Cannot read {path}: {error}.') from error
  return Salvaged(parsed.header, payloads, messages + lost)


def _find_header(file, size):
  """The header, of the start or else of the trailer; and what is wrong."""
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


def _look_at_trailer(file, parsed):
  """What is wrong with the trailer of a file that is whole before it."""
  try:
    container.check_trailer(file, parsed)
  except ValueError as error:
    return [f'the file {error}']
  return []


def _find_chunks(file, size, parsed):
  """Payloads by number, and messages about the chunks that are lost."""
  payloads = {}
  lost = []
  for chunk in range(len(parsed.index)):
    found, why = _find_chunk(file, size, parsed, chunk)
    if found is None:
      lost.append((chunk, why))
    else:
      payloads[chunk] = found
  return payloads, [_message(parsed.header, run) for run in _runs(lost)]


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
  """A message about chunks that are lost for the same reason."""
  (first, why), (last, _) = run[0], run[-1]
  is_lost = 'is lost' if first == last else 'are lost'
  return f'{container.places(header, first, last)} {is_lost}: {why}'


def _runs(lost):
  """Groups chunks that follow each other and have the same reason."""
  runs: list[list] = []
  for chunk, why in lost:
    if not runs or runs[-1][-1] != (chunk - 1, why):
      runs.append([])
    runs[-1].append((chunk, why))
  return runs
