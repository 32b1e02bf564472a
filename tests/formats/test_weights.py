"""Weights as safetensors: any reader's, to the bit, finite and all or none."""

import json
import pickle
import struct

import keras
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from vlae_tf.formats import description, folder


def _values():
  rng = np.random.default_rng(0)
  return {
    'm/dense/w': rng.standard_normal((3, 4)).astype('float32'),
    'm/scale': np.float32(0.1),
    'noise': np.array([3, 2**32 - 1], 'uint32'),
    'transposed': rng.standard_normal((2, 5)).astype('float32').T,
  }


def _parsed(data):
  """A file read by its specification: length, JSON header, little-endian."""
  (length,) = struct.unpack('<Q', data[:8])
  header = json.loads(data[8 : 8 + length])
  kinds = {'F32': '<f4', 'F16': '<f2', 'F64': '<f8', 'U32': '<u4'}
  found = {}
  for name, said in header.items():
    if name != '__metadata__':
      start, end = (8 + length + n for n in said['data_offsets'])
      array = np.frombuffer(data[start:end], kinds[said['dtype']])
      found[name] = array.reshape(said['shape'])
  return found


def _assert_equal(found, expected):
  assert found.keys() == expected.keys()
  for name, value in expected.items():
    assert found[name].dtype == value.dtype, name
    np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert found[name].shape == np.shape(value)


def test_the_file_is_what_the_format_says():
  data = folder.encode_weights(_values())
  _assert_equal(_parsed(data), _values())
  _assert_equal(safetensors.numpy.load(data), _values())
  _assert_equal(folder.decode_weights(data), _values())


def test_half_the_bytes_are_the_nearest_numbers():
  found = _parsed(folder.encode_weights(_values(), 'float16'))
  expected = {
    k: v.astype('float16') if v.dtype == 'float32' else v
    for k, v in _values().items()
  }
  _assert_equal(found, expected)


def test_doubles_keep_their_bits_and_bfloat16_its_values():
  values = {
    'double': np.array([1 + 1e-15]),
    'brain': np.array([1.5, -3e38], tf.bfloat16.as_numpy_dtype),
  }
  found = _parsed(folder.encode_weights(values))
  assert found['double'] == values['double'] != 1
  assert found['brain'].dtype == 'float32'
  np.testing.assert_array_equal(found['brain'], values['brain'])


@pytest.mark.parametrize('bad', [np.nan, np.inf])
@pytest.mark.parametrize('dtype', description.DTYPES)
def test_numbers_that_are_none_are_not_shared(bad, dtype):
  values = _values()
  values['m/dense/w'][1, 2] = bad
  with pytest.raises(ValueError, match=r'finite weights .*m/dense/w'):
    folder.encode_weights(values, dtype)


def test_what_half_precision_has_no_number_for_is_refused():
  values = _values() | {'large': np.array([1.0, -65_520.0], 'float32')}
  folder.encode_weights(values)
  with pytest.raises(ValueError, match=r"`dtype` must be .*'float16'.*65520"):
    folder.encode_weights(values, 'float16')
  # The largest that is rounded to a number.
  folder.encode_weights({'large': np.array(65_519.0, 'float32')}, 'float16')


def test_an_unknown_dtype_is_refused():
  with pytest.raises(ValueError, match=r"`dtype` must be one of .*'int8'"):
    folder.encode_weights(_values(), 'int8')


class _Bomb:
  def __reduce__(self):
    return pytest.fail, ('a pickle was run',)


_WHOLE = folder.encode_weights(_values())


@pytest.mark.parametrize(
  'data',
  [
    b'',
    _WHOLE[:4],
    _WHOLE[:50],
    _WHOLE[:-1],
    _WHOLE + b'x',
    b'\xff' * 64,
    pickle.dumps(_Bomb()),
    _WHOLE.replace(b'"U32"', b'"BF8"'),
    _WHOLE.replace(b'"F32"', b'"BF16"'),
  ],
)
def test_what_is_no_such_file_is_said(data):
  with pytest.raises(ValueError, match=r'^it is no safetensors file: '):
    folder.decode_weights(data)


def _variables():
  return {
    'w': keras.Variable(np.full([3, 4], 7.0), dtype='float32'),
    'n': keras.Variable(np.array([7, 7]), dtype='uint32'),
  }


def _tensors():
  w = np.arange(12, dtype='float32').reshape(3, 4)
  return {'w': w, 'n': np.array([1, 2], 'uint32')}


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64'])
def test_floats_of_every_precision_are_read(dtype):
  variables, values = _variables(), _tensors()
  folder.assign_weights(values | {'w': values['w'].astype(dtype)}, variables)
  for name, variable in variables.items():
    np.testing.assert_array_equal(variable.numpy(), values[name])


@pytest.mark.parametrize(
  'change, words',
  [
    ({'more': np.zeros(2)}, 'nothing not in it, more in it alone'),
    ({'n': None}, 'n not in it, nothing in it alone'),
    ({'w': np.zeros([4, 3], 'float32')}, r'w is float32 \[4, 3\] in it'),
    ({'w': np.zeros([3, 4], 'int32')}, r'w is int32 \[3, 4\] in it'),
    ({'n': np.zeros(2, 'int64')}, r'n is int64 \[2\] in it, uint32 \[2\] here'),
    ({'n': np.zeros(2, 'float32')}, 'n is float32'),
  ],
)
def test_weights_of_another_model_change_nothing(change, words):
  variables = _variables()
  values = {k: v for k, v in (_tensors() | change).items() if v is not None}
  with pytest.raises(ValueError, match=words):
    folder.assign_weights(values, variables)
  for variable in variables.values():
    assert (variable.numpy() == 7).all()
