"""An export behind TensorFlow Serving's request format, and in its CLI."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest
import source_tree
import tensorflow as tf
import toys

from vlae_tf.evaluation import latents, sampling
from vlae_tf.exporting import saved_model

pytestmark = pytest.mark.exhaustive('runs servers and a command')
_NAMES = ['encode', 'elbo', 'score', 'sample', 'complete']
_QUIET = {'TF_CPP_MIN_LOG_LEVEL': '3'}


@pytest.fixture(scope='module')
def model():
  """A small model."""
  return toys.random_model(toys.small_config(**toys.SMALLEST), (6, 5, 1))


@pytest.fixture(scope='module')
def directory(model, tmp_path_factory):
  """Where it is exported."""
  path = tmp_path_factory.mktemp('export') / 'export'
  saved_model.write(model, path, names=_NAMES)
  return path


@pytest.fixture(scope='module')
def url(directory):
  """Base of a server of it, which gives its clients two seconds."""
  script = source_tree.ROOT / 'examples' / 'serve.py'
  options = (f'--export={directory}', '--port=0', '--timeout=2')
  command = [sys.executable, script, *options]
  with subprocess.Popen(
    command, stdout=subprocess.PIPE, text=True, env=os.environ | _QUIET
  ) as server:
    found = re.search(r'http://\S+', server.stdout.readline())
    yield found[0]
    server.send_signal(signal.SIGTERM)


def _ask(url, request=None):
  """The answer of a server, with its status."""
  data = None if request is None else json.dumps(request).encode()
  try:
    with urllib.request.urlopen(url, data, timeout=60) as answer:
      return answer.status, json.load(answer)
  except urllib.error.HTTPError as error:
    return error.code, json.load(error)


def test_columns_and_rows_give_what_python_gives(url, model):
  images = toys.binary_images(3)
  expected = latents.encode(model, tf.constant(images))._asdict()
  expected = {k: np.asarray(v) for k, v in expected.items()}
  _, columns = _ask(
    f'{url}:predict',
    {'signature_name': 'encode', 'inputs': {'images': images.tolist()}},
  )
  _, rows = _ask(f'{url}:predict', {'instances': images.tolist()})
  assert columns['outputs'].keys() == expected.keys()
  for name, value in expected.items():
    by_rows = [row[name] for row in rows['predictions']]
    for found in (columns['outputs'][name], by_rows):
      np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-5)


def test_one_output_comes_without_its_name(url, model):
  request = {'signature_name': 'sample', 'inputs': {'num': 2, 'seed': 3}}
  status, answer = _ask(f'{url}:predict', request)
  assert status == 200
  np.testing.assert_array_equal(
    answer['outputs'], sampling.sample_prior(model, 2, 3)
  )


def test_state_and_metadata(url):
  state = _ask(url)[1]['model_version_status'][0]
  assert state['state'] == 'AVAILABLE'
  metadata = _ask(f'{url}/metadata')[1]['metadata']['signature_def']
  images = metadata['signature_def']['score']['inputs']['images']
  assert images['dtype'] == 'DT_FLOAT'
  sizes = [d['size'] for d in images['tensor_shape']['dim']]
  assert sizes == ['-1', '6', '5', '1']


_BAD = [
  (
    {'signature_name': 'sampl', 'inputs': {}},
    'must be one of complete, elbo, encode, sample',
  ),
  ({'signature_name': 'sample', 'inputs': {'num': 2}}, 'must be num, seed'),
  ({'signature_name': 'sample', 'instances': [1]}, 'send inputs'),
  ({'signature_name': 'score'}, 'one of inputs and instances'),
  ({'instances': []}, 'must be a list of rows'),
  ([1], 'must be a JSON object'),
  (
    {'signature_name': 'score', 'inputs': [[[[1.0]]]]},
    r'images must be float32 of shape \[\?, 6, 5, 1\]: got \(1, 1, 1, 1\)',
  ),
  ({'signature_name': 'score', 'inputs': 'x'}, 'images must be float32'),
  (
    {'signature_name': 'score', 'inputs': np.full((1, 6, 5, 1), 9.0).tolist()},
    r'`images` must be \[batch, 6, 5, 1\] with values in \[0, 1\]',
  ),
  (
    {'signature_name': 'sample', 'inputs': {'num': 0, 'seed': 0}},
    r'`num` must be in \[1, ',
  ),
  ({'signature_name': ['sample'], 'inputs': {}}, 'signature_name must be'),
  ({'signature_name': {}, 'inputs': {}}, 'signature_name must be one of'),
  ({'signature_name': 'sample', 'inputs': [[]] * 9}, 'inputs must name'),
  (
    {'signature_name': 'sample', 'inputs': {'num': True, 'seed': 0}},
    r'num must be int32 of shape \[\]',
  ),
  (
    {'signature_name': 'sample', 'inputs': {'num': 1, 'seed': 2**31}},
    r'seed must be int32 of shape \[\]',
  ),
  (
    {'signature_name': 'sample', 'inputs': {'num': 1001, 'seed': 0}},
    'num must be at most 1000: got 1001',
  ),
  (
    {'signature_name': 'score', 'inputs': [[[[1e300]] * 5] * 6]},
    'images must be float32.*something else',
  ),
  (
    {'signature_name': 'score', 'inputs': [[[[True]] * 5] * 6]},
    'images must be float32',
  ),
  (
    {'signature_name': 'score', 'inputs': [[[[0]] * 5] * 6] * 1001},
    'images must be at most 1000: got 1001',
  ),
]


@pytest.mark.parametrize('request_, message', _BAD)
def test_bad_requests_are_answered_in_words(url, request_, message):
  status, answer = _ask(f'{url}:predict', request_)
  assert status == 400
  assert re.search(message, answer['error'])


@pytest.mark.parametrize('depth', [5, 100, 300, 900, 2000, 100_000])
def test_deep_lists_are_refused(url, depth):
  lists = f'{"[" * depth}{"]" * depth}'
  body = f'{{"signature_name": "score", "inputs": {lists}}}'
  head, answer = _exchange(url, _head(url, len(body)), body.encode())
  assert '400' in head
  assert re.search('images must be|nested too deep', answer)
  assert _ask(url)[0] == 200  # It still serves.


def test_masks_are_booleans(url):
  images, mask = np.zeros([2, 6, 5, 1]), np.ones([6, 5], bool)
  inputs = {'images': images.tolist(), 'mask': mask.tolist(), 'seed': 0}
  status, answer = _ask(
    f'{url}:predict', {'signature_name': 'complete', 'inputs': inputs}
  )
  assert status == 200
  np.testing.assert_array_equal(answer['outputs'], images)


def _head(url, size, more=''):
  path = urllib.parse.urlsplit(url).path
  return (
    f'POST {path}:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
    f'Content-Length: {size}\r\n{more}\r\n'
  ).encode()


def _exchange(url, *parts):
  """Status line and contents of all that comes back, each within a time."""
  parsed = urllib.parse.urlsplit(url)
  with socket.create_connection(
    (parsed.hostname, parsed.port), timeout=20
  ) as client:
    for part in parts:
      client.sendall(part)
    with client.makefile('rb') as file:
      answer = file.read().decode()
  head, _, contents = answer.partition('\r\n\r\n')
  return head.split('\r\n')[0], contents


@pytest.mark.parametrize(
  'parts', [(), (b'GET /',), (b'GET / HTTP/1.1\r\nHost: x\r\n',)]
)
def test_idle_clients_are_sent_away(url, parts):
  start = time.monotonic()
  _exchange(url, *parts)
  assert time.monotonic() - start < 10


def test_body_that_does_not_come_is_answered(url):
  head, answer = _exchange(url, _head(url, 1000), b'{"inputs":')
  assert '408' in head and 'no 1000 bytes in 2' in answer


def test_slow_body_ends_in_time(url):
  parsed = urllib.parse.urlsplit(url)
  start = time.monotonic()
  with socket.create_connection((parsed.hostname, parsed.port)) as client:
    client.sendall(_head(url, 1000))
    client.settimeout(0.5)
    answer = b''
    while b'408' not in answer and time.monotonic() - start < 10:
      client.sendall(b' ')
      with contextlib.suppress(TimeoutError):
        answer += client.recv(1000)
  assert b'408' in answer


@pytest.mark.parametrize('size', ['', '-1', 'x', '9' * 30, '9' * 5000])
def test_bodies_of_no_good_size_are_refused(url, size):
  # One that waits to be asked is told at once.
  for more in ('', 'Expect: 100-continue\r\n'):
    head, answer = _exchange(url, _head(url, size, more))
    assert '413' in head and 'Content-Length must be' in answer


def test_body_is_asked_for(url):
  body = json.dumps({'signature_name': 'no', 'inputs': 0}).encode()
  head = _head(url, len(body), 'Expect: 100-continue\r\n')
  status, rest = _exchange(url, head, body)
  assert '100 Continue' in status and '400 Bad Request' in rest


def test_other_paths_are_not_there(url):
  assert _ask(f'{url}s')[0] == 404
  assert _ask(f'{url}:classify', {})[0] == 404


def _cli(*args):
  command = os.path.join(os.path.dirname(sys.executable), 'saved_model_cli')
  result = subprocess.run(
    [command, *map(str, args)],
    capture_output=True,
    text=True,
    env=os.environ | _QUIET,
  )
  assert result.returncode == 0, result.stderr
  return result.stdout


def test_the_cli_shows_and_runs_it(directory, model, tmp_path):
  choice = ('--dir', directory, '--tag_set', 'serve', '--signature_def')
  shown = _cli('show', *choice, 'elbo')
  for words in ("inputs['seed']", 'shape: (-1, 6, 5, 1)', "outputs['rate']"):
    assert words in shown
  inputs = ('--input_exprs', 'num=2;seed=3', '--outdir', tmp_path)
  _cli('run', *choice, 'sample', *inputs)
  found = np.load(tmp_path / 'images.npy')
  np.testing.assert_array_equal(found, sampling.sample_prior(model, 2, 3))
