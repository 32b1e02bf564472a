"""An export behind TensorFlow Serving's request format, and in its CLI."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
import source_tree
import tensorflow as tf
import toys

from vlae_tf.evaluation import latents, sampling
from vlae_tf.exporting import saved_model

pytestmark = pytest.mark.exhaustive('runs servers and a command')
_QUIET = {'TF_CPP_MIN_LOG_LEVEL': '3'}


@pytest.fixture(scope='module')
def model():
  """A small model."""
  return toys.random_model(toys.small_config(**toys.SMALLEST), (6, 5, 1))


@pytest.fixture(scope='module')
def directory(model, tmp_path_factory):
  """Where it is exported."""
  path = tmp_path_factory.mktemp('export') / 'export'
  saved_model.write(model, path, names=['encode', 'elbo', 'score', 'sample'])
  return path


@pytest.fixture(scope='module')
def url(directory):
  """Base of a server of it."""
  script = source_tree.ROOT / 'examples' / 'serve.py'
  command = [sys.executable, script, f'--export={directory}', '--port=0']
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
    'must be one of elbo, encode, sample',
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
]


@pytest.mark.parametrize('request_, message', _BAD)
def test_bad_requests_are_answered_in_words(url, request_, message):
  status, answer = _ask(f'{url}:predict', request_)
  assert status == 400
  assert re.search(message, answer['error'])


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
