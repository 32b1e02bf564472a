"""Files of compressed images: what they say they hold, or an error."""

import dataclasses
import io
import itertools
import math
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vlae_tf.formats import container, layout
from vlae_tf.formats.container import salvage

_SPECIFICATION = pathlib.Path(__file__).parents[2] / 'docs' / 'format.md'


def _header(**changed):
  told = {
    'mode': 'lossless',
    'fingerprint': bytes(range(8)),
    'image_shape': (28, 28, 1),
    'count': 9,
    'chunk_size': 2,
    'lanes': 4,
    'step': 1.0,
    'direct_step': 0.25,
  }
  return container.Header(**{**told, **changed})


def _payloads(header, seed=0):
  rng = random.Random(seed)
  return [rng.randbytes(rng.randint(1, 200)) for _ in range(header.num_chunks)]


def _file(path, header, seed=0):
  """Writes a file and returns its payloads."""
  payloads = _payloads(header, seed)
  container.write(path, header, payloads, overwrite=True)
  return payloads


def _read(path):
  """Header and all payloads, read strictly."""
  with container.Archive(path) as archive:
    archive.check()
    chunks = range(archive.header.num_chunks)
    return archive.header, [archive.payload(k) for k in chunks]


# ---- A reader of its own, from the specification alone.


def _crc(data, width, polynomial, reflected):
  """A CRC bit by bit; `reflected` ones start and end with all bits changed."""
  top = (1 << width) - 1
  crc = top
  for byte in data:
    for bit in range(8) if reflected else range(7, -1, -1):
      last = crc & 1 if reflected else crc >> width - 1
      crc = crc >> 1 if reflected else crc << 1 & top
      if last ^ (byte >> bit & 1):
        crc ^= polynomial
  return crc ^ top if reflected else crc


def _crc32(data):
  return _crc(data, 32, 0xEDB88320, reflected=True)


def _crc16(data):
  return _crc(data, 16, 0x1021, reflected=False)


def _varint(data, at):
  groups = []
  while True:
    groups.append(data[at] % 128)
    at += 1
    if data[at - 1] < 128:
      return sum(g * 128**i for i, g in enumerate(groups)), at


def _step(n):
  return 8 / 2**n if n < 12 else 6 / 2 ** (n - 12)


def _parsed(data):
  """Settings by name and payloads of a whole file."""
  assert data[:4] == bytes([0xD6, 0x0D, 0x0A, 1])
  said = {
    'mode': ['lossless', 'lossy'][data[4] % 4],
    'lanes': 2 ** (data[4] // 4 % 8),
    'arithmetic': data[4] // 32,
    'step': _step(data[5] % 16),
    'direct_step': _step(data[5] // 16),
    'fingerprint': data[6:14],
  }
  numbers, at = [], 14
  for _ in range(5):
    settings_end = at
    number, at = _varint(data, at)
    numbers.append(number)
  height, width, channels, size, count = numbers
  said |= {'image_shape': (height, width, channels)}
  said |= {'chunk_size': size, 'count': count}
  index = []
  while len(index) * size < count:
    length, at = _varint(data, at)
    index.append((length, data[at : at + 4]))
    at += 4
  assert data[at : at + 2] == _crc16(data[:at]).to_bytes(2, 'little')
  header_end = at = at + 2
  payloads = []
  for k, (length, crc) in enumerate(index):
    payloads.append(data[at : at + length])
    at += length
    images = min(size, count - k * size)
    summed = (
      data[:settings_end]
      + layout.encode_varint(k)
      + layout.encode_varint(images)
    )
    assert crc == _crc32(summed + payloads[-1]).to_bytes(4, 'little')
  trailer = data[:header_end] + struct.pack('<I', header_end)
  assert data[at:] == (trailer if len(index) > 1 else b'')
  return said, payloads


def test_the_sums_are_those_that_the_specification_names():
  assert _crc32(b'123456789') == 0xCBF43926
  assert _crc16(b'123456789') == 0x29B1


@st.composite
def _contents(draw):
  """A header and payloads of its chunks."""
  shape = draw(st.tuples(*3 * [st.integers(1, 300)]))
  most = min(130, 2**27 // math.prod(shape))
  header = _header(
    mode=draw(st.sampled_from(['lossless', 'lossy'])),
    fingerprint=draw(st.binary(min_size=8, max_size=8)),
    image_shape=shape,
    count=draw(st.integers(1, 20)),
    chunk_size=draw(st.integers(1, most)),
    lanes=2 ** draw(st.integers(0, 7)),
    step=_step(draw(st.integers(0, 15))),
    direct_step=_step(draw(st.integers(0, 15))),
    arithmetic=draw(st.integers(1, 7)),
  )
  num = header.num_chunks
  payload = st.binary(max_size=200)
  return header, draw(st.lists(payload, min_size=num, max_size=num))


@given(_contents())
@example(
  (_header(count=300, chunk_size=1), [bytes([k % 256]) * k for k in range(300)])
)
def test_files_are_what_the_specification_says(tmp_path, contents):
  """Oracle: a reader of its own."""
  header, payloads = contents
  container.write(tmp_path / 'a.vlae', header, payloads, overwrite=True)
  said, found = _parsed((tmp_path / 'a.vlae').read_bytes())
  assert said == dataclasses.asdict(header)
  assert found == payloads
  assert _read(tmp_path / 'a.vlae') == contents
  assert salvage(tmp_path / 'a.vlae') == (
    header,
    dict(enumerate(payloads)),
    [],
  )


_EXAMPLES = [
  (
    container.Header(
      'lossless',
      bytes.fromhex('0011223344556677'),
      (28, 28, 1),
      1,
      1,
      4,
      1,
      0.25,
    ),
    [b'abc'],
  ),
  (
    container.Header(
      'lossy', bytes.fromhex('ffeeddccbbaa9988'), (200, 300, 3), 3, 2, 1, 8, 0.5
    ),
    [b'hello', b'hi'],
  ),
]


@pytest.mark.parametrize('number', [0, 1])
def test_the_examples_of_the_specification_are_files(tmp_path, number):
  text = _SPECIFICATION.read_text(encoding='utf-8')
  block = re.findall(r'```hex\n(.*?)```', text, flags=re.DOTALL)[number]
  data = bytes.fromhex(re.sub('#.*', '', block))
  header, payloads = _EXAMPLES[number]
  container.write(tmp_path / 'a.vlae', header, payloads)
  assert (tmp_path / 'a.vlae').read_bytes() == data
  (tmp_path / 'b.vlae').write_bytes(data)
  assert _read(tmp_path / 'b.vlae') == (header, payloads)


def test_one_image_costs_26_bytes(tmp_path):
  header = _header(count=1, chunk_size=1)
  container.write(tmp_path / 'a.vlae', header, [bytes(127)])
  assert os.path.getsize(tmp_path / 'a.vlae') == 26 + 127


@given(st.integers(0, 42).flatmap(lambda bits: st.integers(0, 2**bits - 1)))
@example(layout.MAX_VARINT)
def test_varints_are_the_shortest(value):
  data = layout.encode_varint(value)
  assert _varint(data, 0) == (value, len(data))
  assert len(data) == max(1, -(-value.bit_length() // 7))
  source = layout._Source(io.BytesIO(b'before' + data), 6, 6 + len(data))
  assert (source.number(), source.left) == (value, 0)


_VARINT_BYTES = st.sampled_from([0, 1, 0x7F, 0x80, 0x81, 0xFF])


@given(st.lists(_VARINT_BYTES, max_size=8).map(bytes))
def test_bytes_are_no_varint_or_that_of_one_number(data):
  source = layout._Source(io.BytesIO(data), 0, len(data))
  try:
    value = source.number()
  except ValueError:
    # It does not end, or is longer than it need be.
    end = next((n for n, byte in enumerate(data) if byte < 128), 6)
    assert end >= min(len(data), 6) or (end and not data[end])
  else:
    assert data.startswith(layout.encode_varint(value))
    assert len(data) - source.left == len(layout.encode_varint(value))


@pytest.mark.parametrize('value', [-1, layout.MAX_VARINT + 1])
def test_numbers_that_no_varint_holds_are_refused(value):
  with pytest.raises(ValueError, match=f'`value` must be .* got {value}'):
    layout.encode_varint(value)


# ---- Headers


@given(st.integers(1, 60), st.integers(1, 70))
def test_every_image_is_in_one_chunk_in_order(count, size):
  header = _header(count=count, chunk_size=size)
  images = list(range(count))
  chunks = [images[i : i + size] for i in range(0, count, size)]
  assert header.num_chunks == len(chunks)
  assert header.full_chunks == sum(len(c) == size for c in chunks)
  assert [list(header.images_of(k)) for k in range(len(chunks))] == chunks
  for i in images:
    assert i in chunks[header.chunk_of(i)]


_BAD = {
  'mode': ['lossles', None],
  'fingerprint': [b'short', 'aaaaaaaa', bytearray(8)],
  'image_shape': [
    (28, 28),
    [28, 28, 1],
    (28, 0, 1),
    (65537, 1, 1),
    (2.0, 1, 1),
  ],
  'count': [0, -1, 2.0, True, 2**40 + 1],
  'chunk_size': [0, None, 2**27 // 784 + 1, 2**28],
  'lanes': [0, 3, 256, True],
  'step': [0.0, 16.0, 0.3, float('nan'), 2.0**-9],
  'direct_step': [12.0, '1'],
  'arithmetic': [0, 8],
}


@pytest.mark.parametrize(
  'name, value', [(n, v) for n, values in _BAD.items() for v in values]
)
def test_a_header_of_bad_values_names_them(name, value):
  with pytest.raises(ValueError, match=f'^`{name}` must .*got'):
    _header(**{name: value})


def test_numbers_at_the_limits_are_taken():
  _header(count=2**24, chunk_size=1)
  _header(count=2**40, chunk_size=2**16, image_shape=(2**11, 1, 1))
  _header(count=1, chunk_size=1, image_shape=(2**16, 2**11, 1))
  with pytest.raises(ValueError, match=r'`chunk_size` .*16777216 chunks'):
    _header(count=2**24 + 1, chunk_size=1)


def test_chunks_and_images_that_are_not_there_are_named(tmp_path):
  header = _header()
  for bad in (-1, 5, 1.0):
    with pytest.raises(ValueError, match=r'`chunk` must be .* 0 to 4, got'):
      header.images_of(bad)
  with pytest.raises(ValueError, match=r'`image` must be .* 0 to 8, got 9'):
    header.chunk_of(9)
  _file(tmp_path / 'a.vlae', header)
  with container.Archive(tmp_path / 'a.vlae') as archive:
    with pytest.raises(ValueError, match='`chunk` must be'):
      archive.payload(-1)


# ---- Writing


def test_payloads_are_asked_for_one_by_one_and_not_kept(tmp_path):
  header = _header(count=40, chunk_size=2)
  size = 2**20

  def payloads():
    for k in range(header.num_chunks):
      yield bytes([k]) * size

  tracemalloc.start()
  container.write(tmp_path / 'a.vlae', header, payloads())
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert os.path.getsize(tmp_path / 'a.vlae') > 20 * size
  assert peak < 1.5 * size
  with container.Archive(tmp_path / 'a.vlae') as archive:
    assert archive.payload(7) == b'\x07' * size


def _failing(error):
  yield b'first'
  raise error


@pytest.mark.parametrize('error', [KeyError('x'), OSError(5, 'disk of images')])
def test_a_failure_of_the_maker_is_passed_on_and_leaves_nothing(
  tmp_path, error
):
  with pytest.raises(type(error)) as caught:
    container.write(tmp_path / 'a.vlae', _header(), _failing(error))
  assert caught.value is error
  assert not os.listdir(tmp_path)


def test_a_failure_keeps_what_was_there(tmp_path):
  path = tmp_path / 'a.vlae'
  payloads = _file(path, _header())
  with pytest.raises(KeyError):
    container.write(path, _header(), _failing(KeyError()), overwrite=True)
  with pytest.raises(KeyError), container.Archive(path) as archive:
    container.append(archive, 5, _failing(KeyError()))
  with pytest.raises(ValueError, match=r'`out` must be a new file.* is kept'):
    container.write(path, _header(), payloads)
  assert _read(path) == (_header(), payloads)
  assert os.listdir(tmp_path) == ['a.vlae']


def test_a_file_that_came_meanwhile_is_kept(tmp_path):
  path = tmp_path / 'a.vlae'

  def payloads():
    yield b'mine'
    path.write_bytes(b'theirs')

  with pytest.raises(ValueError, match='`out` must be a new file'):
    container.write(path, _header(count=1), payloads())
  assert path.read_bytes() == b'theirs'


class _SlowFile(io.FileIO):
  """A file that takes 7 bytes at a time."""

  def write(self, data):
    return super().write(data[:7])


def test_a_disk_may_take_a_payload_in_parts(tmp_path, monkeypatch):
  monkeypatch.setattr(
    container.tempfile,
    'TemporaryFile',
    lambda dir, buffering: _SlowFile(tmp_path / 'spool', 'w+'),
  )
  payloads = _file(tmp_path / 'a.vlae', _header())
  assert _read(tmp_path / 'a.vlae') == (_header(), payloads)


_FULL_DISK = """
import resource, sys
from vlae_tf.formats import container
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
header = container.Header('lossy', bytes(8), (1, 1, 1), 2, 1, 1, 1.0, 1.0)
try:
  container.write(sys.argv[1], header, [bytes(int(n)) for n in sys.argv[2:]],
                  overwrite=True)
except ValueError as error:
  print(error)
"""


@pytest.mark.parametrize(
  'sizes, message',
  [
    ((3000, 3000), 'Cannot write'),  # The payloads.
    ((4980, 10), 'Cannot write'),  # The file alone.
    ((3000, 1000), ''),
  ],
)
def test_a_full_disk_is_an_error_and_leaves_nothing_new(
  tmp_path, sizes, message
):
  path = tmp_path / 'a.vlae'
  path.write_bytes(b'old')
  told = [str(n) for n in sizes]
  done = subprocess.run(
    [sys.executable, '-c', _FULL_DISK, str(path), *told],
    capture_output=True,
    text=True,
    check=True,
  )
  assert not done.stderr
  assert done.stdout.startswith(message) and bool(done.stdout) == bool(message)
  assert (path.read_bytes() == b'old') == bool(message)
  assert os.listdir(tmp_path) == ['a.vlae']


@pytest.mark.parametrize('number', [0, 4, 6])
def test_the_number_of_payloads_is_that_of_the_chunks(tmp_path, number):
  found = str(number) if number < 5 else 'one more'
  with pytest.raises(
    ValueError, match=f'`payloads` .* 5 chunks.*got .*{found}'
  ):
    container.write(tmp_path / 'a.vlae', _header(), [b''] * number)
  assert not os.listdir(tmp_path)


@pytest.mark.parametrize('bad', [None, 'text', 3])
def test_payloads_that_are_no_bytes_are_refused(tmp_path, bad):
  kind = type(bad).__name__
  with pytest.raises(ValueError, match=f'`payloads` must.*{kind} for chunk 1'):
    container.write(tmp_path / 'a.vlae', _header(), [b'', bad])


def test_other_suffixes_are_refused(tmp_path):
  with pytest.raises(ValueError, match=r'`out` must end in \.vlae'):
    container.write(tmp_path / 'a.zip', _header(), [])


# ---- Appending


def _encoded(first, header):
  """Payloads that are functions of the images in each chunk."""
  for k in range(first, header.num_chunks):
    yield ' '.join(map(str, header.images_of(k))).encode()


@given(st.integers(1, 9), st.lists(st.integers(1, 12), min_size=2, max_size=4))
def test_appending_is_writing_all_at_once(tmp_path, size, counts):
  path, whole = tmp_path / 'a.vlae', tmp_path / 'b.vlae'
  header = _header(count=counts[0], chunk_size=size)
  container.write(path, header, _encoded(0, header), overwrite=True)
  for added in counts[1:]:
    with container.Archive(path) as archive:
      count = archive.header.count + added
      header = dataclasses.replace(header, count=count)
      payloads = _encoded(archive.header.full_chunks, header)
      assert container.append(archive, added, payloads) == header
  container.write(whole, header, _encoded(0, header), overwrite=True)
  assert path.read_bytes() == whole.read_bytes()
  assert sorted(os.listdir(tmp_path)) == ['a.vlae', 'b.vlae']


def test_appending_to_a_link_changes_what_it_leads_to(tmp_path):
  _file(tmp_path / 'a.vlae', _header(count=2))
  (tmp_path / 'link.vlae').symlink_to(tmp_path / 'a.vlae')
  with container.Archive(tmp_path / 'link.vlae') as archive:
    container.append(archive, 1, [b'new'])
  assert (tmp_path / 'link.vlae').is_symlink()
  assert _read(tmp_path / 'a.vlae')[0].count == 3


def test_appending_refuses_what_it_cannot_do(tmp_path):
  path = tmp_path / 'a.vlae'
  _file(path, _header())
  with container.Archive(path) as archive:
    for bad in (0, -1, 1.0):
      with pytest.raises(ValueError, match=r'`added` must be .* got'):
        container.append(archive, bad, [])
    with pytest.raises(ValueError, match=r'`payloads` .* 6 chunks.*those of 5'):
      container.append(archive, 2, [b'x'])

    def meanwhile():
      yield b'x'
      _file(path, _header(), seed=1)

    with pytest.raises(ValueError, match=r'`archive` .* replaced since'):
      container.append(archive, 1, meanwhile())
  assert _read(path) == (_header(), _payloads(_header(), 1))
  with container.Archive(path) as archive:
    path.unlink()
    with pytest.raises(ValueError, match=r'Cannot append to .*a.vlae'):
      container.append(archive, 1, [b'x'])


# ---- Damage


def _sealed(*parts):
  """A file of one chunk, its header's check made right."""
  header = b''.join(parts)
  return header + _crc16(header).to_bytes(2, 'little')


_START = bytes.fromhex('d60d0a01 2853 0001020304050607')
_SIDES = bytes([28, 28, 1])
_INDEX = bytes(5)
_HUGE = b'\x80\x80\x80\x80\x80\x20'  # 2^40

_WRONG = {
  r'is no file .* must start with d6 0d 0a, got 89 50 4e\.$': b'\x89PNG\r\n',
  'is no file .* got nothing': b'',
  r'is no file .* got d6 0d\.$': b'\xd6\r',
  'got d6 0a 01 as a transfer as text leaves it': b'\xd6\n\x01\x28',
  'got d6 0d 0d as a transfer as text leaves it': b'\xd6\r\r\n\x01\x28',
  'of version 2 .* this release reads version 1': b'\xd6\r\n\x02 anything',
  'is cut short: it ends within its header': _START + _SIDES,
  'damaged header: .* more than 6 bytes': _START + b'\xff' * 9,
  'damaged header: .* more bytes than it needs': _START + b'\x9c\x00' + _SIDES,
  'damaged header: its check does not fit': (
    _START + _SIDES + b'\x01\x01' + _INDEX + b'\x00\x00'
  ),
  'damaged header: 4294967296 must be at most 4294967295': (
    _START + _SIDES + b'\x01\x01\x80\x80\x80\x80\x10' + bytes(6)
  ),
  'claims absurd values: no images': _START + _SIDES + b'\x01\x00' + _INDEX,
  'claims absurd values: 1099511627776 chunks, of at most 16777216': (
    _START + _SIDES + b'\x01' + _HUGE + _INDEX
  ),
  'cut short or has a damaged header: it claims 16384 chunks, with 5 bytes': (
    _START + _SIDES + b'\x01\x80\x80\x01' + _INDEX
  ),
  'claims absurd values: `chunk_size` .* 860618752 of them': _sealed(
    _START, _SIDES, b'\x80\x80\x43\x01', _INDEX
  ),
  'claims absurd values: `image_shape`': _sealed(
    _START, b'\x00\x1c\x01', b'\x01\x01', _INDEX
  ),
  'claims absurd values: `arithmetic`': _sealed(
    _START[:4], b'\x08', _START[5:], _SIDES, b'\x01\x01', _INDEX
  ),
  'of mode 3, of which this release reads 0 and 1': _sealed(
    _START[:4], b'\x2b', _START[5:], _SIDES, b'\x01\x01', _INDEX
  ),
  r'is cut short: it must have 4294967325 bytes, got 30\.$': _sealed(
    _START, _SIDES, b'\x01\x01\xff\xff\xff\xff\x0f', bytes(4)
  ),
  'has trailing bytes: it must have 26, got 27': (
    _sealed(_START, _SIDES, b'\x01\x01', _INDEX) + b'\n'
  ),
}


@pytest.mark.parametrize('message', _WRONG)
def test_what_is_wrong_with_a_file_is_said(tmp_path, message):
  path = tmp_path / 'a.vlae'
  path.write_bytes(_WRONG[message])
  with pytest.raises(ValueError, match=rf'^{re.escape(str(path))} .*{message}'):
    container.Archive(path)


def test_paths_that_are_no_files_are_refused(tmp_path):
  os.mkfifo(tmp_path / 'pipe')
  for path in (tmp_path / 'none', tmp_path, tmp_path / 'pipe', '/dev/zero'):
    for read in (container.Archive, salvage):
      with pytest.raises(ValueError, match=f'Cannot read {path}: '):
        read(path)


def test_a_damaged_chunk_is_named_and_the_others_are_read(tmp_path):
  path = tmp_path / 'a.vlae'
  payloads = _file(path, _header())
  data = path.read_bytes()
  at = data.index(payloads[1])
  path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
  lost = r'chunk 1 \(images 2 to 3\) is lost'
  with container.Archive(path) as archive:
    assert [archive.payload(k) for k in (0, 2, 3, 4)] == [
      payloads[k] for k in (0, 2, 3, 4)
    ]
    for read in (lambda: archive.payload(1), archive.check):
      with pytest.raises(
        ValueError, match=f'a.vlae has a damaged chunk: {lost}'
      ):
        read()
  header, found, messages = salvage(path)
  assert header == _header()
  assert found == {k: payloads[k] for k in (0, 2, 3, 4)}
  assert len(messages) == 1 and re.fullmatch(f'{lost}: damaged', messages[0])


def test_chunks_that_changed_places_or_files_are_refused(tmp_path):
  header = _header(count=4)
  container.write(tmp_path / 'a.vlae', header, [b'one', b'two'])
  container.write(tmp_path / 'b.vlae', header, [b'uno', b'due'])
  data = (tmp_path / 'a.vlae').read_bytes()
  for other in (b'twoone', b'oneone', b'unodue'):
    (tmp_path / 'c.vlae').write_bytes(data.replace(b'onetwo', other))
    with container.Archive(tmp_path / 'c.vlae') as archive:
      with pytest.raises(ValueError, match='damaged chunk'):
        archive.check()
  # With their sums as well: those of another place, or under other settings.
  for other, chunk in ((header, 1), (_header(count=4, step=0.5), 0)):
    container.write(tmp_path / 'd.vlae', other, [b'one', b'one'], True)
    there = (tmp_path / 'd.vlae').read_bytes()[19 + 5 * chunk :][:5]
    front = data[:19] + there + data[24:29]
    rest = b'onetwo' + _sealed(front) + struct.pack('<I', 31)
    (tmp_path / 'c.vlae').write_bytes(_sealed(front) + rest)
    with container.Archive(tmp_path / 'c.vlae') as archive:
      assert archive.payload(1) == b'two'
      with pytest.raises(ValueError, match='damaged chunk: chunk 0'):
        archive.payload(0)


def test_a_changed_number_of_images_is_refused(tmp_path):
  container.write(tmp_path / 'a.vlae', _header(count=1, chunk_size=9), [b'one'])
  data = bytearray((tmp_path / 'a.vlae').read_bytes())
  data[18] = 2  # The check of the header is made to fit.
  (tmp_path / 'a.vlae').write_bytes(_sealed(data[:24]) + b'one')
  with container.Archive(tmp_path / 'a.vlae') as archive:
    assert archive.header.count == 2
    with pytest.raises(ValueError, match='damaged chunk'):
      archive.payload(0)


def test_any_changed_byte_is_noticed(tmp_path):
  path = tmp_path / 'a.vlae'
  container.write(path, _header(count=3), [b'one', b'two'])
  data = path.read_bytes()
  for at, change in itertools.product(range(len(data)), (1, 0x10, 0x80, 0xFF)):
    path.write_bytes(data[:at] + bytes([data[at] ^ change]) + data[at + 1 :])
    with pytest.raises(ValueError, match=r'a.vlae '):
      _read(path)
    assert salvage(path).messages


# ---- Salvage


def test_of_a_whole_file_all_is_salvaged_without_a_word(tmp_path):
  for header in (_header(), _header(count=1)):
    payloads = _file(tmp_path / 'a.vlae', header)
    found = salvage(tmp_path / 'a.vlae')
    assert found == (header, dict(enumerate(payloads)), [])


def test_of_a_cut_file_the_chunks_before_the_cut_are_salvaged(tmp_path):
  path = tmp_path / 'a.vlae'
  payloads = _file(path, _header())
  data = path.read_bytes()
  cut = data.index(payloads[3]) + 1
  path.write_bytes(data[:cut])
  with pytest.raises(
    ValueError, match=r'is cut short: .*; chunks before its end can be'
  ):
    container.Archive(path)
  header, found, messages = salvage(path)
  assert header == _header()
  assert found == dict(enumerate(payloads[:3]))
  assert messages == [
    f'{len(data) - cut} bytes are missing',
    'chunks 3 to 4 (images 6 to 8) are lost: beyond the end of the file',
  ]


def test_a_damaged_header_costs_nothing_where_there_is_a_trailer(tmp_path):
  path = tmp_path / 'a.vlae'
  payloads = _file(path, _header())
  data = path.read_bytes()
  for start in (bytes(40), data[:10], b'\xef\xbb\xbf' + data[:40], b''):
    path.write_bytes(start + data[40:])
    with pytest.raises(ValueError):
      container.Archive(path)
    header, found, messages = salvage(path)
    assert (header, found) == (_header(), dict(enumerate(payloads)))
    assert 'its trailer is used' in messages[0]


def test_bytes_too_many_or_missing_cost_the_chunks_they_are_in(tmp_path):
  path = tmp_path / 'a.vlae'
  payloads = _file(path, _header())
  data = path.read_bytes()
  at = data.index(payloads[2]) + 1
  for changed in (data[:at] + b'more' + data[at:], data[:at] + data[at + 2 :]):
    path.write_bytes(changed)
    header, found, messages = salvage(path)
    assert header == _header()
    assert found == {k: payloads[k] for k in (0, 1, 3, 4)}
    assert re.match(r'\d bytes are (too many|missing)', messages[0])
    assert messages[1] == 'chunk 2 (images 4 to 5) is lost: damaged'


def test_without_a_header_nothing_is_salvaged(tmp_path):
  path = tmp_path / 'a.vlae'
  for damaged in (b'', b'abc', bytes(100), _START, _START + b'\xff' * 90):
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match='and at its end is no header, either'):
      salvage(path)


# ---- Chance


def _damaged(rng, one, other):
  """A file with some damage, of one kind."""
  at, to = (rng.randrange(len(one) + 1) for _ in range(2))
  noise = rng.randbytes(rng.choice([1, 2, 4, 30]))
  kind = rng.choice(
    ['bits', 'bytes', 'cut', 'insert', 'delete', 'splice', 'swap', 'repeat']
  )
  if kind == 'bits':
    changed = bytearray(one)
    for _ in range(rng.choice([1, 1, 2, 9])):
      changed[rng.randrange(len(one))] ^= 1 << rng.randrange(8)
    return bytes(changed)
  at, to = sorted((at, to))
  return {
    'bytes': one[:at] + noise + one[at + len(noise) :],
    'cut': one[:at],
    'insert': one[:at] + noise + one[at:],
    'delete': one[:at] + one[to:],
    'splice': one[:at] + other[rng.choice([at, to]) :],
    'swap': one[at:to] + one[:at] + one[to:],
    'repeat': one[:to] + one[at:],
  }[kind]


def _limited(read, path):
  """What a reader returns, or `None` for a `ValueError`; in little memory."""
  tracemalloc.start()
  try:
    return read(path)
  except ValueError:
    return None
  finally:
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 + os.path.getsize(path)


def _strictly(path):
  """Header, and payloads by number where they can be read."""
  with container.Archive(path) as archive:
    found = {}
    for k in range(archive.header.num_chunks):
      try:
        found[k] = archive.payload(k)
      except ValueError:
        pass
    return archive.header, found


@given(_contents(), _contents(), st.booleans(), st.randoms())
def test_damage_never_passes_for_a_payload(tmp_path, one, other, same, rng):
  path = tmp_path / 'damaged.vlae'
  if same:  # Only the payloads differ.
    other = one[0], [bytes(reversed(p)) for p in one[1]]
  originals, whole = [], []
  for header, payloads in (one, other):
    container.write(path, header, payloads, overwrite=True)
    originals.append((header, dict(enumerate(payloads))))
    whole.append(path.read_bytes())
  path.write_bytes(_damaged(rng, *whole))
  for read in (_strictly, lambda p: salvage(p)[:2]):
    if (found := _limited(read, path)) is not None:
      header, payloads = found
      assert any(
        header == h and payloads.items() <= p.items() for h, p in originals
      )


def test_claims_of_a_file_take_no_memory_and_no_time(tmp_path):
  path = tmp_path / 'a.vlae'
  for sizes in itertools.product(
    [b'\x01', _HUGE, b'\xff\xff\xff\x3f'], repeat=2
  ):
    path.write_bytes(_START + _SIDES + b''.join(sizes) + b'\xff' * 5000)
    for read in (_strictly, salvage):
      assert _limited(read, path) is None
  path.write_bytes(
    _sealed(_START, _SIDES, b'\x01\x01\xff\xff\xff\xff\x0f', bytes(4))
  )
  assert _limited(_strictly, path) is None
  assert _limited(salvage, path).payloads == {}


def test_an_index_of_many_chunks_takes_no_more_than_the_file(tmp_path):
  path = tmp_path / 'a.vlae'
  header = _header(count=50_000, chunk_size=1)
  container.write(path, header, itertools.repeat(b'', header.count))
  tracemalloc.start()
  with container.Archive(path) as archive:
    assert archive.payload(header.count - 1) == b''
    peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak < 2**20 + os.path.getsize(path)
