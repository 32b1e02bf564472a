"""Serves an exported model over HTTP, with nothing but TensorFlow.

    python examples/serve.py --export=DIR --port=8501
    curl localhost:8501/v1/models/vlae
    curl localhost:8501/v1/models/vlae/metadata
    curl localhost:8501/v1/models/vlae:predict \
      -d '{"signature_name": "sample", "inputs": {"num": 2, "seed": 0}}'

Requests and answers have the format of TensorFlow Serving's REST interface,
so that its model server can take the place of this one:
https://www.tensorflow.org/tfx/serving/api_rest
"""

import contextlib
import http.server
import json
import math
import socket
import sys
import threading
from typing import Any

import numpy as np
import tensorflow as tf
from absl import app, flags

_EXPORT = flags.DEFINE_string('export', None, 'Directory.', required=True)
_PORT = flags.DEFINE_integer('port', 8501, 'Port; 0 for a free one.')
_HOST = flags.DEFINE_string('host', '127.0.0.1', 'Address to listen on.')
_TIMEOUT = flags.DEFINE_float(
  'timeout', 30.0, 'Seconds to send a request, and to take the answer.', 0.01
)
_NAME = flags.DEFINE_string('name', 'vlae', 'Name of the model.')

_LARGEST_REQUEST = 2**26  # In bytes.
_MOST_IMAGES = 1000  # Rows, draws or importance samples of a request.


class BadRequestError(ValueError):
  """What a client sent is not what the model takes."""


class Model:
  """The signatures of a SavedModel, asked in JSON's types."""

  def __init__(self, directory: str, name: str):
    self._model = tf.saved_model.load(directory)  # Holds the variables.
    self._signatures = self._model.signatures
    self.name = name

  def metadata(self) -> dict[str, Any]:
    """What goes into each signature and comes out of it."""
    described = {
      name: {
        'inputs': {k: _info(s) for k, s in _inputs(signature).items()},
        'outputs': {
          k: _info(s) for k, s in signature.structured_outputs.items()
        },
        'method_name': 'tensorflow/serving/predict',
      }
      for name, signature in self._signatures.items()
    }
    return {
      'model_spec': {'name': self.name, 'signature_name': '', 'version': '1'},
      'metadata': {'signature_def': {'signature_def': described}},
    }

  def predict(self, request: Any) -> dict[str, Any]:
    """Answers a request, in its format: columns, or a row for each image."""
    if not isinstance(request, dict):
      raise BadRequestError('the request must be a JSON object')
    name = request.get('signature_name', 'serving_default')
    if not isinstance(name, str) or name not in self._signatures:
      known = ', '.join(sorted(self._signatures))
      raise BadRequestError(
        f'signature_name must be one of {known}: {name!r:.80}'
      )
    if ('inputs' in request) == ('instances' in request):
      raise BadRequestError('there must be one of inputs and instances')
    signature = self._signatures[name]
    specs = _inputs(signature)
    by_rows = 'instances' in request
    given = (
      _columns(request['instances'], specs)
      if by_rows
      else (_named(request['inputs'], specs))
    )
    outputs = signature(**_tensors(given, specs))
    values = {key: value.numpy().tolist() for key, value in outputs.items()}
    if by_rows:
      return {'predictions': _rows(values)}
    alone = len(values) == 1
    return {'outputs': next(iter(values.values())) if alone else values}


def _inputs(signature):
  return signature.structured_input_signature[1]


def _info(spec):
  sizes = [{'size': str(-1 if n is None else n)} for n in spec.shape]
  dtype = (
    f'DT_{"FLOAT" if spec.dtype == tf.float32 else spec.dtype.name.upper()}'
  )
  return {
    'dtype': dtype,
    'tensor_shape': {'dim': sizes, 'unknown_rank': False},
    'name': spec.name,
  }


def _named(inputs, specs):
  """Inputs by name; the only one may come without."""
  if isinstance(inputs, dict):
    return inputs
  if len(specs) != 1:
    raise BadRequestError(f'inputs must name {", ".join(sorted(specs))}')
  return {next(iter(specs)): inputs}


def _columns(instances, specs):
  """Inputs by name from a row for each image."""
  scalars = [name for name, spec in specs.items() if not spec.shape.rank]
  if scalars:
    raise BadRequestError(
      f'{", ".join(scalars)} is no row of an image: send inputs, not instances'
    )
  if not isinstance(instances, list) or not instances:
    raise BadRequestError('instances must be a list of rows')
  if all(isinstance(row, dict) for row in instances):
    names = instances[0].keys()
    if any(row.keys() != names for row in instances):
      raise BadRequestError('instances must all have the same names')
    return {name: [row[name] for row in instances] for name in names}
  return _named(instances, specs)


def _rows(values):
  if len(values) == 1:
    return next(iter(values.values()))
  return [dict(zip(values, row)) for row in zip(*values.values(), strict=True)]


def _tensors(given, specs):
  if given.keys() != specs.keys():
    raise BadRequestError(
      f'inputs must be {", ".join(sorted(specs))}: got '
      f'{", ".join(given) or "none"}'
    )
  return {
    name: _tensor(name, given[name], spec) for name, spec in specs.items()
  }


def _tensor(name, value, spec):
  axes = ', '.join('?' if n is None else str(n) for n in spec.shape)
  wanted = f'{name} must be {spec.dtype.name} of shape [{axes}]'
  # By NumPy: TensorFlow ends the process where lists are nested too deep.
  try:
    array = np.array(value)
    with np.errstate(over='raise'):
      cast = array.astype(spec.dtype.as_numpy_dtype)
  except (ValueError, TypeError, ArithmeticError) as error:
    raise BadRequestError(f'{wanted}: got something else') from error
  # JSON's booleans are no numbers.
  kinds = (
    'b' if spec.dtype.is_bool else 'iu' if spec.dtype.is_integer else 'iuf'
  )
  beyond = spec.dtype.is_integer and (cast != array).any()
  if array.dtype.kind not in kinds or beyond:
    raise BadRequestError(f'{wanted}: got something else')
  if not spec.shape.is_compatible_with(array.shape):
    raise BadRequestError(f'{wanted}: got {array.shape}')
  if spec.shape.rank:
    counted = len(array) if spec.shape[0] is None else 1
  else:
    counted = 1 if name == 'seed' else int(array)
  if counted > _MOST_IMAGES:
    raise BadRequestError(
      f'{name} must be at most {_MOST_IMAGES}: got {counted}'
    )
  return tf.constant(cast)


class Handler(http.server.BaseHTTPRequestHandler):
  """Routes of TensorFlow Serving's REST interface."""

  model: Model
  protocol_version = 'HTTP/1.1'
  timeout: float  # Seconds without a byte; see below for a whole request.

  def handle_one_request(self) -> None:
    """As its base, within a time, and without a trace of gone clients."""
    end = threading.Timer(self.timeout, self._stop_reading)
    end.daemon = True
    end.start()
    try:
      super().handle_one_request()
    except OSError:
      self.close_connection = True
    finally:
      end.cancel()

  def _stop_reading(self):
    with contextlib.suppress(OSError):
      self.connection.shutdown(socket.SHUT_RD)

  def handle_expect_100(self) -> bool:
    """Asks for the body, unless it would be refused."""
    return self._has_length() and super().handle_expect_100()

  def do_GET(self) -> None:
    """State of the model, or its metadata."""
    if self.path.rstrip('/') == self._base():
      state = {'version': '1', 'state': 'AVAILABLE'}
      status = {'error_code': 'OK', 'error_message': ''}
      self._answer(200, {'model_version_status': [state | {'status': status}]})
    elif self.path == f'{self._base()}/metadata':
      self._answer(200, self.model.metadata())
    else:
      self._answer(404, {'error': f'no {self.path}; try {self._base()}'})

  def do_POST(self) -> None:
    """Predictions."""
    if not self._has_length():
      return
    size = int(self.headers['Content-Length'])
    body = self.rfile.read(size)
    if len(body) < size:
      self.close_connection = True
      self._answer(408, {'error': f'no {size} bytes in {self.timeout} seconds'})
    elif self.path != f'{self._base()}:predict':
      self._answer(
        404, {'error': f'no {self.path}; try {self._base()}:predict'}
      )
    else:
      self._answer(*self._predict(body))

  def _has_length(self):
    size = self.headers.get('Content-Length', '')
    # A number of so many digits would take long to parse.
    fits = size.isdecimal() and len(size) < 20 and int(size) <= _LARGEST_REQUEST
    if not fits:
      self.close_connection = True
      error = f'Content-Length must be at most {_LARGEST_REQUEST} bytes'
      self._answer(413, {'error': error})
    return fits

  def _predict(self, body):
    """Status and answer."""
    try:
      return 200, self.model.predict(json.loads(body))
    except RecursionError:
      return 400, {'error': 'the request is nested too deep'}
    except (ValueError, tf.errors.InvalidArgumentError) as error:
      return 400, {'error': _brief(error)}
    except tf.errors.OpError as error:  # As out of memory.
      return 500, {'error': _brief(error)}

  def log_message(self, format: str, *args: Any) -> None:
    """Keeps quiet."""

  def _base(self):
    return f'/v1/models/{self.model.name}'

  def _answer(self, status, answer):
    body = json.dumps(_finite(answer)).encode()
    self.send_response(status)
    self.send_header('Content-Type', 'application/json')
    self.send_header('Content-Length', str(len(body)))
    self.end_headers()
    self.wfile.write(body)


def _brief(error):
  """The line of an error that says what was wrong."""
  lines = str(error).splitlines()
  said = [line.strip() for line in lines if 'assertion failed' in line]
  return [*said, *lines, 'bad request'][0]


def _finite(value):
  """JSON has no infinities: they become strings."""
  if isinstance(value, dict):
    return {k: _finite(v) for k, v in value.items()}
  if isinstance(value, list):
    return [_finite(v) for v in value]
  if isinstance(value, float) and not math.isfinite(value):
    return str(value)
  return value


def main(argv: list[str]) -> None:
  """Serves until it is stopped."""
  if argv[1:]:
    raise app.UsageError(f'unexpected argument {argv[1]!r}')
  try:
    Handler.model = Model(_EXPORT.value, _NAME.value)
    Handler.timeout = _TIMEOUT.value
    server = http.server.ThreadingHTTPServer(
      (_HOST.value, _PORT.value), Handler
    )
  except (OSError, OverflowError) as error:
    sys.exit(f'error: {error}')
  url = (
    f'http://{_HOST.value}:{server.server_address[1]}/v1/models/{_NAME.value}'
  )
  print(f'serving {_EXPORT.value} at {url}', flush=True)
  try:
    server.serve_forever()
  except KeyboardInterrupt:
    sys.exit(130)


if __name__ == '__main__':
  app.run(main)
