"""rANS messages: equal to a textbook coder, and recovered exactly."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from vlae_tf.compression import rans

_LANES = 5
_TOTAL = 2**24
_LOW = 2**31


class Textbook:
  """rANS in Python's integers: a head for each lane, one list of words."""

  def __init__(self, heads, words):
    self.heads = [int(head) for head in heads]
    self.words = [int(word) for word in words]

  def push(self, symbols):
    """`{lane: (start, width)}`; all that is full goes out before."""
    for lane, (_, width) in sorted(symbols.items()):
      # The head that would come of it does not fit 63 bits.
      if self.heads[lane] * _TOTAL >= width * 2**63:
        self.words.append(self.heads[lane] % 2**32)
        self.heads[lane] //= 2**32
    for lane, (start, width) in symbols.items():
      whole, rest = divmod(self.heads[lane], width)
      self.heads[lane] = whole * _TOTAL + start + rest

  def pop(self, symbols):
    """Undoes `push`: what it put out last comes in first."""
    for lane, (start, width) in symbols.items():
      whole, slot = divmod(self.heads[lane], _TOTAL)
      assert start <= slot < start + width
      self.heads[lane] = whole * width + slot - start
    for lane in sorted(symbols, reverse=True):
      if self.heads[lane] < _LOW:
        self.heads[lane] = self.heads[lane] * 2**32 + self.words.pop()


def _intervals(rng, num):
  """Random intervals `[num, lanes]`, many of them as narrow or wide as can."""
  shape = (num, _LANES)
  any_width = np.floor(2.0 ** rng.uniform(0, 24, shape)).astype(np.int64)
  ends = rng.choice([1, _TOTAL - 1, _TOTAL // 2], shape)
  width = np.where(rng.random(shape) < 0.5, any_width, ends)
  return rng.integers(0, _TOTAL - width, endpoint=True), width


def _interval(start, width):
  return rans.Interval(tf.constant(start), tf.constant(width))


def _assert_is(message, textbook):
  assert message.heads.numpy().tolist() == textbook.heads
  size = int(message.size)
  assert message.words.numpy()[:size].tolist() == textbook.words


def _assert_same(message, other):
  """Nothing that counts of two messages differs."""
  assert message.heads.numpy().tolist() == other.heads.numpy().tolist()
  size = int(message.size)
  assert size == int(other.size)
  np.testing.assert_array_equal(message.words[:size], other.words[:size])


def _eager(fn):
  return fn


@functools.cache
def _compiled(fn):
  return tf.function(fn, jit_compile=True, autograph=False)


_LIVE = np.array([True, True, False, True, True])
_COUNTS = st.integers(0, 24).flatmap(
  lambda bits: st.integers(1, min(1 << bits, _TOTAL - 1))
)
# To push or to pop, and for each lane whether to, a width and a place.
_STEPS = st.tuples(
  st.booleans(),
  *_LANES * [st.tuples(st.booleans(), _COUNTS, st.integers(0, _TOTAL - 1))],
)


@pytest.mark.parametrize('mode', [_eager, _compiled])
@given(
  st.lists(st.booleans(), min_size=_LANES, max_size=_LANES),
  st.lists(_STEPS, max_size=25),
)
def test_heads_and_words_are_those_of_a_textbook(mode, live, steps):
  """Whatever is pushed and popped, and when all of it is undone.

  What bits back pops has not been pushed: words are taken that were there.
  """
  message = rans.random(_LANES, 1, live, num_words=150)
  textbook = Textbook(message.heads, message.words[:150])
  before, done, low = message, [], 150

  def apply(is_push, wanted, start, width):
    nonlocal message
    interval = _interval(np.array(start), np.array(width))
    fn = rans.push if is_push else rans.pop
    message = mode(fn)(message, interval, tf.constant(wanted))
    chosen = {
      n: (start[n], width[n]) for n in range(_LANES) if live[n] and wanted[n]
    }
    (textbook.push if is_push else textbook.pop)(chosen)
    _assert_is(message, textbook)

  for is_push, *lanes in steps:
    wanted, width, place = map(list, zip(*lanes))
    start = [p % (_TOTAL - w + 1) for p, w in zip(place, width)]
    if not is_push:  # One of two symbols, that in which the slot is.
      slots = rans.peek(message).numpy().tolist()
      assert slots == [head % _TOTAL for head in textbook.heads]
      start = [0 if s < w else w for s, w in zip(slots, width)]
      width = [w if not a else _TOTAL - w for a, w in zip(start, width)]
    done.append((is_push, wanted, start, width))
    apply(*done[-1])
    low = min(low, len(textbook.words))
    assert int(message.low) == low
  for is_push, *symbols in reversed(done):
    apply(not is_push, *symbols)
  _assert_same(message, before)


def test_many_symbols_go_on_as_one_after_the_other():
  starts, widths = _intervals(np.random.default_rng(0), 30)
  message = rans.random(_LANES, 1, _LIVE, num_words=7)
  textbook = Textbook(message.heads, message.words[:7])
  pushed = rans.push_all(message, _interval(starts, widths))
  for start, width in zip(starts[::-1].tolist(), widths[::-1].tolist()):
    symbols = {n: (start[n], width[n]) for n in np.flatnonzero(_LIVE).tolist()}
    textbook.push(symbols)
  _assert_is(pushed, textbook)

  def inverse_cdf(k, slots):
    inside = (starts[k.numpy()] <= slots) & (
      slots < starts[k.numpy()] + widths[k.numpy()]
    )
    assert inside.numpy()[_LIVE].all()
    interval = _interval(starts[k.numpy()], widths[k.numpy()])
    return tf.cast(k, tf.float64) + tf.zeros(_LANES, tf.float64), interval

  popped, numbers = rans.pop_all(pushed, 30, inverse_cdf, tf.float64)
  np.testing.assert_array_equal(numbers, np.arange(30)[:, None] + np.zeros(5))
  _assert_same(popped, message)


def test_symbols_take_the_bits_of_their_probabilities():
  starts, widths = _intervals(np.random.default_rng(3), 300)
  message = rans.random(_LANES, 1, num_words=0)
  for start, width in zip(starts, widths):
    pushed = rans.push(message, _interval(start, width))
    bits = rans.num_bits(pushed) - rans.num_bits(message)
    exact = math.fsum(24 - np.log2(width))
    # What rounds a head is below 2**24, most often far below it.
    parts = _TOTAL / (pushed.heads.numpy() - _TOTAL)
    assert abs(bits - exact) < np.log2(1 + parts).sum() + 1e-11
    message = pushed


def test_bits_of_many_symbols_add_up():
  starts, widths = _intervals(np.random.default_rng(3), 2000)
  message = rans.random(_LANES, 1)
  pushed = rans.push_all(message, _interval(starts, widths))
  bits = rans.num_bits(pushed) - rans.num_bits(message)
  exact = math.fsum((24 - np.log2(widths)).flat)
  # What rounds a head costs 2**-20 bits on average, give or take 2**-10.
  num = widths.size
  assert abs(bits - exact) < 2.0**-19 * num + 5 * 2.0**-10 * math.sqrt(num)


@given(_COUNTS)
def test_an_interval_has_the_bits_of_its_probability(width):
  bits = _interval(0, width).bits()
  assert bits.dtype == tf.float64
  assert float(bits) == pytest.approx(24 - math.log2(width), abs=1e-12)


def test_no_word_is_lost_before_the_array_is_full():
  message = rans.random(_LANES, 1, num_words=1)
  message = message._replace(words=message.words[:8])
  textbook = Textbook(message.heads, message.words[:1])
  one = np.zeros(_LANES, int), np.ones(_LANES, int)
  lane = 0
  while int(message.size) < 7:
    mask = np.arange(_LANES) == lane % _LANES
    message = rans.push(message, _interval(*one), tf.constant(mask))
    textbook.push({lane % _LANES: (0, 1)})
    _assert_is(message, textbook)
    lane += 1
  for _ in range(lane):
    lane -= 1
    mask = np.arange(_LANES) == lane % _LANES
    message = rans.pop(message, _interval(*one), tf.constant(mask))
    textbook.pop({lane % _LANES: (0, 1)})
    _assert_is(message, textbook)


def test_lost_words_show():
  message = rans.random(_LANES, 1, num_words=1)
  message = message._replace(words=message.words[:8])
  starts, widths = np.zeros((20, _LANES), int), np.ones((20, _LANES), int)
  pushed = rans.push_all(message, _interval(starts, widths))
  # 24 bits of each symbol.
  assert int(pushed.size) >= 20 * _LANES * 24 // 32 - _LANES > 8
  longer = rans.with_capacity(message, 4000)
  assert longer.words.shape[0] == 4000
  whole = rans.push_all(longer, _interval(starts, widths))
  assert int(whole.size) == int(pushed.size)
  assert rans.with_capacity(whole, 5).words.shape[0] == 4000


def test_taking_more_than_there_is_shows():
  message = rans.random(_LANES, 1, num_words=3)
  one = _interval(np.zeros(_LANES, int), np.ones(_LANES, int))
  for _ in range(20):
    message = message._replace(heads=message.heads // _TOTAL * _TOTAL)
    message = rans.pop(message, one)
  assert int(message.low) == int(message.size) < 0


def _busy(num=40, begun=4):
  """A message that something has been pushed onto, its last lane not begun."""
  message = rans.initial(_LANES, 12345, 11)
  message = rans.start_lanes(message, 1, begun)
  live = tf.range(_LANES) < begun
  starts, widths = _intervals(np.random.default_rng(num), num)
  message = message._replace(live=live)
  return rans.push_all(message, _interval(starts, widths))


# Heads whose length is any.
_HEADS = st.integers(32, 63).flatmap(
  lambda bits: st.integers(1 << (bits - 1), (1 << bits) - 1)
)
_WORDS = st.integers(0, 2**32 - 1)


@given(
  st.lists(_HEADS, min_size=1, max_size=9),
  st.lists(_WORDS, max_size=9),
  st.integers(0, 9),
  st.integers(0, 3),
)
@example([_LOW, 2**32 - 1, 2**32, 2**33 - 1, 2**63 - 1], [0, 2**32 - 1], 0, 0)
def test_bytes_give_back_a_message(heads, words, bottom, more):
  """Lanes that have not been started are left out, and words at the bottom."""
  bottom = min(bottom, len(words))
  told = np.array([*heads, *more * [7]])
  message = rans.from_words(told, np.array(words), np.ones(len(told), bool))
  data = rans.to_bytes(message, len(heads), bottom)
  # Oracle: strings of bits, the first one last.
  bits = ''
  for head in heads:
    top = f'{head >> 32:b}'.lstrip('0')
    bits = top[1:] + f'{len(top):05b}' + bits
  num = -(-len(bits) // 8)
  low = [*words[bottom:], *(head % 2**32 for head in heads)]
  assert data == int(bits, 2).to_bytes(num, 'little') + b''.join(
    word.to_bytes(4, 'little') for word in low
  )
  again = rans.from_bytes(data, len(told), len(heads))
  size = len(words) - bottom
  assert int(again.size) == int(again.low) == size
  assert again.words[:size].numpy().tolist() == words[bottom:]
  assert again.heads.numpy().tolist() == [*heads, *more * [2**32]]
  assert not again.live.numpy().any()


def test_bytes_are_as_the_format_says():
  """By hand: `(1, 2**32 + 5)` and one word."""
  heads = [2**32 + 5, 5 * 2**32 + 6]
  message = rans.from_words(heads, [9, 8], np.ones(2, bool))
  data = rans.to_bytes(message, 2, 1)
  # Length 1; length 3, then `01` of 5 = 101.
  tops = 1 | 3 << 5 | 1 << 10
  expected = tops.to_bytes(2, 'little')
  assert data == expected + b''.join(n.to_bytes(4, 'little') for n in (8, 5, 6))


@given(
  st.integers(0, _LANES), st.integers(0, _LANES), st.sampled_from([0, 3, 20])
)
def test_lanes_end_as_they_began(first, last, num):
  message = rans.random(_LANES, 2, num_words=9)
  begun = rans.start_lanes(message, first, last)
  size = 9 - max(0, last - first)
  assert int(begun.size) == int(begun.low) == size
  heads, words = message.heads.numpy().tolist(), message.words.numpy().tolist()
  if first < last:
    heads[first:last] = [2**32 + word for word in words[size:9]]
  assert begun.heads.numpy().tolist() == heads
  starts, widths = _intervals(np.random.default_rng(num), num)
  live = tf.range(_LANES) < last
  pushed = begun._replace(live=live)
  pushed = rans.push_all(pushed, _interval(starts, widths))
  for start, width in zip(starts, widths):
    pushed = rans.pop(pushed, _interval(start, width))
  ended = rans.end_lanes(pushed, first, last)
  assert ended.heads.numpy().tolist() == heads
  _assert_same(ended._replace(heads=message.heads), message)


def test_lanes_that_never_began_so_do_not_end():
  message = rans.start_lanes(rans.initial(_LANES, 0, 30), 1, 4)
  interval = _interval(np.zeros(_LANES, int), np.full(_LANES, 2**20))
  message = message._replace(live=tf.ones(_LANES, bool))
  pushed = rans.push(message, interval)
  with pytest.raises(ValueError, match='does not end in the state'):
    rans.end_lanes(pushed, 1, 4)


def test_initial_words_go_below_a_message():
  message = _busy()
  longer = rans.with_initial_words(message, 11, 6)
  assert int(longer.size) == int(message.size) + 6
  assert int(longer.low) == int(message.low) + 6
  np.testing.assert_array_equal(longer.heads, message.heads)
  # As if there had been seventeen from the beginning.
  whole = rans.initial(_LANES, 12345, 17)
  untouched = int(message.low)
  np.testing.assert_array_equal(
    longer.words[: 6 + untouched], whole.words[: 6 + untouched]
  )
  np.testing.assert_array_equal(
    longer.words[6 : int(longer.size)], message.words[: int(message.size)]
  )
  # They are left out of the bytes alike.
  assert rans.to_bytes(longer, 4, int(longer.low)) == rans.to_bytes(
    message, 4, int(message.low)
  )


def _initial_word(depth):
  """By `docs/format.md`."""
  x = depth * 2654435761 % 2**32
  x = (x ^ x >> 15) * 2246822519 % 2**32
  x = (x ^ x >> 13) * 3266489917 % 2**32
  return x ^ x >> 16


@given(st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_messages_begin_as_the_format_says(num, checksum):
  words = [_initial_word(depth) for depth in range(num, 0, -1)]
  assert rans.initial_words(num).tolist() == words
  message = rans.initial(3, checksum, num)
  assert message.words[:num].numpy().tolist() == words
  assert int(message.size) == int(message.low) == num
  assert message.heads.numpy().tolist() == [2**32 + checksum, 2**32, 2**32]
  assert not message.live.numpy().any()


def test_initial_words_look_random():
  """Bits that a posterior takes have to be fair, or codes are no draws."""
  words = rans.initial_words(20000)
  assert words.dtype == np.int64
  assert words.min() >= 0 and words.max() < 2**32
  assert len(set(words.tolist())) == len(words)
  bits = (words[:, None] >> np.arange(32)) & 1
  assert np.abs(bits.mean(0) - 0.5).max() < 5 * 0.5 / math.sqrt(len(words))
  centred = (bits - 0.5) * 2
  between = np.abs(centred.T @ centred / len(words) - np.eye(32)).max()
  assert between < 5 / math.sqrt(len(words))
  following = np.abs(centred[1:].T @ centred[:-1] / len(words)).max()
  assert following < 5 / math.sqrt(len(words))


def test_bytes_of_no_message_are_refused():
  data = rans.to_bytes(_busy(), 4, 0)
  for end in range(4 * 4):
    with pytest.raises(ValueError, match=r'length is not|below its minimum'):
      rans.from_bytes(data[:end], _LANES, 4)
  # Four heads of `2**32` and no word: four times five bits, and four of zero.
  data = b'\x21\x84\x00' + 4 * bytes(4)
  assert rans.from_bytes(data, _LANES, 4).heads.numpy().tolist() == 5 * [2**32]
  for bit in range(4, 8):
    changed = bytes([*data[:2], data[2] | 1 << bit, *data[3:]])
    with pytest.raises(ValueError, match='length is not'):
      rans.from_bytes(changed, _LANES, 4)
  with pytest.raises(ValueError, match='length'):
    rans.from_bytes(data + b'x', _LANES, 4)
  with pytest.raises(ValueError, match='below its minimum'):
    rans.from_bytes(bytes(3 + 16), _LANES, 4)


@given(
  st.lists(_HEADS, min_size=4, max_size=4),
  st.lists(_WORDS, max_size=3),
  st.integers(0, 99),
  st.binary(max_size=4),
)
def test_bytes_are_those_of_one_message_or_refused(heads, words, at, changed):
  message = rans.from_words(np.array(heads), np.array(words), np.ones(4, bool))
  data = rans.to_bytes(message, 4, 0)
  data = data[:at] + changed + data[at + len(changed) :]
  try:
    again = rans.from_bytes(data, _LANES, 4)
  except ValueError:
    assert data != rans.to_bytes(message, 4, 0)
  else:
    assert (again.heads.numpy() >= _LOW).all()
    assert rans.to_bytes(again, 4, 0) == data
