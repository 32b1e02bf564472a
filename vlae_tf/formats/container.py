"""Files of compressed images: a header, then chunks that are read one by one.

What is in the payload of a chunk is not looked at here. Every byte of the
format is in `docs/format.md`.
"""

import dataclasses
import itertools
import os
import pathlib
import tempfile
from collections.abc import Iterable

from vlae_tf.formats import layout, reading
from vlae_tf.formats.headers import Header, LANES
from vlae_tf.formats.reading import Archive
from vlae_tf.utils import files

__all__ = ['LANES', 'SUFFIX', 'Archive', 'Header', 'append', 'write']
SUFFIX = '.vlae'


def write(
  out: str | os.PathLike,
  header: Header,
  payloads: Iterable[bytes],
  overwrite: bool = False,
) -> None:
  """Writes a file in one step; if anything fails, nothing is left of it."""
  # One payload is in memory at a time. As the header needs their lengths, they
  # first go to a file without a name beside it: the disk takes them twice.
  files.check_new_file(out, overwrite, SUFFIX)
  index = layout.Index()
  with _spool(out) as spool:
    _fill(spool, out, header, index, payloads)
    files.check_new_file(out, overwrite, SUFFIX)  # It may have come meanwhile.
    _assemble(out, header, index, [reading.blocks(spool, 0, index.total)])


def append(archive: Archive, added: int, payloads: Iterable[bytes]) -> Header:
  """Puts images after those of a file, in one step; or it stays as it was."""
  # Full chunks are copied as they are. A last chunk that is not full is made
  # anew: its images have to be decoded first, and encoded with the new ones.
  # with Archive(path) as archive: first = archive.header.full_chunks  # The
  # first chunk to be made. old = [] if first < archive.header.num_chunks: old =
  # decode(archive.payload(first)) append(archive, len(new), encode([*old,
  # *new]))
  if type(added) is not int or added < 1:
    raise ValueError(f'`added` must be a whole number above 0, got {added!r}.')
  path = os.path.realpath(archive.path)  # A link stays one.
  before, start = archive.header, archive.parsed.length
  after = dataclasses.replace(before, count=before.count + added)
  index = _head(archive.parsed.index, before.full_chunks)
  kept = index.total
  _check_unchanged(archive, path)
  with _spool(path) as spool:
    _fill(spool, path, after, index, payloads)
    _check_unchanged(archive, path)
    old = reading.blocks(archive.file, start, kept)
    new = reading.blocks(spool, 0, index.total - kept)
    _assemble(path, after, index, [old, new])
  return after


def _check_unchanged(archive, path):
  """Checks that nobody replaced a file since it was opened."""
  try:
    there = os.stat(path)
  except OSError as error:
    raise ValueError(f'Cannot append to {path}: {error}.') from error
  if not os.path.samestat(there, os.fstat(archive.file.fileno())):
    raise ValueError(
      f'`archive` must be the file at {path}, which was replaced since it was '
      'opened. It is kept.'
    )


def _head(index, chunks):
  """The index of the first chunks."""
  head = layout.Index()
  for chunk in range(chunks):
    head.add(*index.chunk(chunk)[1:])
  return head


def _spool(path):
  """A file without a name beside another, which goes when it is closed."""
  try:
    # With a buffer, closing it on a full disk would fail once more.
    return tempfile.TemporaryFile(
      dir=pathlib.Path(path).absolute().parent, buffering=0
    )
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error


def _fill(spool, path, header, index, payloads):
  """Writes payloads to the spool and their lengths and sums to the index."""
  for payload in payloads:
    chunk = len(index)
    if chunk == header.num_chunks:
      raise ValueError(
        f'`payloads` must be those of {chunk} chunks in all, got one more.'
      )
    if not isinstance(payload, bytes) or len(payload) > layout.MAX_PAYLOAD:
      raise ValueError(
        f'`payloads` must be bytes, at most {layout.MAX_PAYLOAD} in each, got '
        f'{type(payload).__name__} for chunk {chunk}.'
      )
    index.add(len(payload), layout.crc_of(header, chunk, payload))
    _put(spool, path, payload)
    del payload  # Before the next one is made.
  if len(index) < header.num_chunks:
    raise ValueError(
      f'`payloads` must be those of {header.num_chunks} chunks in all, got '
      f'those of {len(index)}.'
    )


def _put(spool, path, payload):
  """Writes all of a payload; what made it may raise OSErrors of its own."""
  left = memoryview(payload)
  try:
    while left:
      left = left[spool.write(left) :]
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error


def _assemble(path, header, index, parts):
  """Puts a file together from blocks of bytes, and in its place."""
  packed = layout.pack(header, index)
  with files.new_file(pathlib.Path(path)) as file:
    file.write(packed)
    for block in itertools.chain(*parts):
      file.write(block)
    if len(index) > 1:
      file.write(packed + layout.trailer_end(len(packed)))
