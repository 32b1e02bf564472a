"""On the grid a model has the same parameters wherever they are computed.

Not nearly the same: a bit that differs between sender and receiver loses all
that comes after it.
"""

import dataclasses
import functools
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import toys

from conformance import cases, elsewhere
from vlae_tf import compression
from vlae_tf.compression import lattice
from vlae_tf.nn import fixed_point, weight_norm

_NUM = 3
_IMAGE_SHAPE = (2, 3, 1)
_WORKER = pathlib.Path(elsewhere.__file__)
_GATED = cases.config(decoder='gated_pixelcnn')


def _each_decoder_and_way(*quick):
  """Each decoder as it is, one compiled; all compiled in the other tier."""
  mark = pytest.mark.exhaustive('each network compiled by XLA')
  networks = [
    *cases.of_each('decoder', pixel_distribution='bernoulli'),
    *cases.model_configs()[-1:],
    cases.config(pixel_distribution='categorical', decoder='gated_pixelcnn'),
  ]
  return pytest.mark.parametrize(
    'case, way',
    [
      pytest.param(
        case,
        way,
        id=f'{cases.label(case)}-{way}',
        marks=() if way in quick or case == _GATED else mark,
      )
      for case in networks
      for way in (*quick, 'compiled')
    ],
  )


def _model(case):
  return toys.random_model(case, _IMAGE_SHAPE)


@functools.cache
def _exact(case):
  return compression.ExactModel(_model(case))


@pytest.fixture(scope='module', autouse=True)
def _forgotten():
  yield
  _exact.cache_clear()


def _images(case, num=_NUM):
  """Images of the grid, float64."""
  x = cases.images(case, num, *_IMAGE_SHAPE).astype('float64')
  return tf.constant(np.floor(x * 2**10 + 0.5) / 2**10)


def _codes(case, num=_NUM):
  """Codes of a lattice, some of them far out."""
  z = 4 * np.random.default_rng(0).normal(size=(num, case.latent_size))
  return lattice.nearest(tf.constant(z), 1 / 16)


@dataclasses.dataclass(frozen=True)
class _Copy:
  """An `nn.Update` that copies given pixels and notes the parameters."""

  def __call__(self, noise, params, state, wavefront):
    del noise
    pixels, noted = state
    batch = pixels.shape[1]
    rows = tf.reshape(params, [-1, batch, params.shape[-1]])
    noted = tf.tensor_scatter_nd_update(noted, wavefront.pixel[:, None], rows)
    copied = tf.gather(pixels, wavefront.pixel)
    return tf.reshape(copied, [-1, pixels.shape[-1]]), (pixels, noted)


def _pixel_by_pixel(law, network, image, jit_compile):
  """What the loop of a receiver gets to see, as `law.params(image)`."""
  num, height, width, channels = image.shape
  pixels = tf.reshape(tf.transpose(image, [1, 2, 0, 3]), [-1, num, channels])
  pixels = tf.pad(pixels, [[0, 1], [0, 0], [0, 0]])
  outputs = law.pixel_distribution.num_params(channels)
  state = (pixels, tf.zeros([*pixels.shape[:2], outputs], image.dtype))
  if jit_compile:
    copied, (_, noted) = law.unroll(_Copy(), state)
  else:
    features = law.parameters['features']
    copied, (_, noted) = network.unroll(
      features, (), _Copy(), state, jit_compile=False
    )
  np.testing.assert_array_equal(copied, image)
  noted = tf.reshape(noted[:-1], [height, width, num, outputs])
  return tf.transpose(noted, [2, 0, 1, 3])


def _compiled(fn):
  return tf.function(fn, jit_compile=True, autograph=False)


@_each_decoder_and_way('eager')
def test_pixel_by_pixel_parameters_are_those_of_one_pass(case, way):
  exact, image = _exact(case), _images(case)
  with exact.scope():
    law = exact.model.likelihood(_codes(case))
    expected = law.params(image).numpy()
    network = exact.model.likelihood.network
    found = _pixel_by_pixel(law, network, image, way == 'compiled')
  np.testing.assert_array_equal(found, expected)
  # Not all alike, and of the grid.
  assert len(np.unique(expected)) > 10
  np.testing.assert_array_equal(expected * 2**10, np.rint(expected * 2**10))


def test_floats_would_not_be():
  """Or the tests here would show nothing."""
  case = cases.config(decoder='pixelcnn')
  exact, image = _exact(case), _images(case, 1)
  law = exact.model.likelihood(_codes(case, 1))
  expected = law.params(image).numpy()
  network = exact.model.likelihood.network
  found = _pixel_by_pixel(law, network, image, jit_compile=False)
  np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
  assert (found.numpy() != expected).any()


_WAYS = {
  'compiled': lambda fn, args: _compiled(fn)(*args),
  'reversed': lambda fn, args: [x[::-1] for x in fn(*(x[::-1] for x in args))],
  'alone': lambda fn, args: [
    tf.concat(x, 0)
    for x in zip(*(fn(*(x[k:][:1] for x in args)) for k in range(5)))
  ],
}


def _check_ways(ways, fn, *args):
  """Checks that a function gives the same compiled and in any batch."""
  expected = [x.numpy() for x in fn(*args)]
  for way in ways:
    for a, b in zip(_WAYS[way](fn, args), expected, strict=True):
      np.testing.assert_array_equal(a, b, err_msg=way)


@_each_decoder_and_way('reversed', 'alone')
def test_parameters_are_the_same_compiled_and_in_any_batch(case, way):
  exact = _exact(case)
  with exact.scope():
    _check_ways(
      [way],
      lambda image, code: [exact.model.likelihood(code).params(image)],
      _images(case, 5),
      _codes(case, 5),
    )


def _posterior_places(posterior, image):
  """Means, and the places of a slot: scales may differ in their last bits."""
  law = posterior(image)
  params = tf.stack([law.mean(), law.stddev()], -1)
  slot = tf.fill(tf.shape(params)[:-1], tf.constant(12345678, tf.int64))
  place, interval = compression.GaussianSymbols(1 / 16).locate(params, slot)
  return law.mean(), place, *interval


@cases.each([cases.config(posterior='gaussian')])
def test_posteriors_are_the_same_compiled_and_in_any_batch(case):
  exact = _exact(case)
  with exact.scope():
    places = functools.partial(_posterior_places, exact.model.posterior)
    _check_ways(_WAYS, places, _images(case, 5))


@pytest.mark.parametrize(
  'step',
  [1 / 16, pytest.param(4.0, marks=pytest.mark.exhaustive('a coarse step'))],
)
def test_flows_undo_themselves_compiled_and_in_any_batch(step):
  exact = _exact(cases.config(prior='flow'))
  size = exact.model.event_shape[0]
  z = 9 * np.random.default_rng(0).normal(size=(12, size))
  z = lattice.nearest(tf.constant(z), step)
  with exact.scope():
    flow = compression.on_lattice(exact.model.prior.bijector(), step)

    def inverse(z):
      return flow.inverse(tf.identity(z))

    def forward(z):
      return flow.forward(tf.identity(z))

    noise = inverse(z).numpy()
    alone = [inverse(z[k : k + 1]) for k in range(len(z))]
    np.testing.assert_array_equal(tf.concat(alone, 0), noise)
    np.testing.assert_array_equal(_compiled(inverse)(z), noise)
    for way in (forward, _compiled(forward)):
      np.testing.assert_array_equal(way(noise), z)
  np.testing.assert_array_equal(noise / step, np.rint(noise / step))
  assert (noise != z.numpy()).any()


_EIGEN = '--xla_cpu_multi_thread_eigen='
_PROCESSES = {
  1: dict(
    XLA_FLAGS=f'{_EIGEN}false', TF_ENABLE_ONEDNN_OPTS='0', OMP_NUM_THREADS='1'
  ),
  2: dict(
    XLA_FLAGS=f'{_EIGEN}true', TF_ENABLE_ONEDNN_OPTS='1', OMP_NUM_THREADS='2'
  ),
}


def _start(saved, given, out, threads, how):
  """Starts a process; `compiled` by XLA it decodes, which takes long, once."""
  environment = os.environ | _PROCESSES[threads]
  decodes = 'decode' if how == 'eagerly' or threads == 1 else 'compute'
  command = [sys.executable, _WORKER, saved, given, out, threads, how, decodes]
  return subprocess.Popen(list(map(str, command)), env=environment)


@pytest.mark.parametrize(
  'how, threads',
  [
    pytest.param('eagerly', [1], id='eagerly'),
    pytest.param(
      'compiled',
      [1, 2],
      id='compiled',
      marks=pytest.mark.exhaustive('two processes more, compiled by XLA'),
    ),
  ],
)
def test_processes_of_other_threads_and_flags_compute_the_same(
  how, threads, tmp_path, request
):
  """And read what was written here."""
  if how == 'eagerly':
    request.getfixturevalue('eagerly')
  case = _GATED
  model = _model(case)
  saved, given = tmp_path / 'model.keras', tmp_path / 'given.npz'
  model.save(saved)
  exact = compression.ExactModel(model)
  numbers, codes = (f(case, elsewhere.NUM).numpy() for f in (_images, _codes))
  images = numbers > 0
  expected = elsewhere.digests(exact, numbers, codes)
  encoded = elsewhere.chunks(exact).encode(images)
  np.savez(
    given,
    numbers=numbers,
    codes=codes,
    images=images,
    chunk=np.frombuffer(encoded.data, np.uint8),
  )
  outs = [tmp_path / f'{num}.npz' for num in threads]
  running = [_start(saved, given, out, n, how) for out, n in zip(outs, threads)]
  assert not any(process.wait() for process in running)
  for out in outs:
    found = np.load(out)
    assert {*found['digests'].tolist(), *expected} == {expected[0]}
    assert str(found['fingerprint']) == exact.fingerprint.hex()
  np.testing.assert_array_equal(np.load(outs[0])['decoded'], images)


def test_weights_that_could_be_rounded_are_refused():
  for value in (np.nan, np.inf, 2000.0):
    model = _model(cases.config())
    layer = weight_norm.layers_of(model)[-1]
    layer.bias.assign(np.full(layer.bias.shape, value))
    with pytest.raises(ValueError, match='`model` must have finite weights'):
      compression.ExactModel(model)


def test_laws_are_near_those_of_the_model():
  """Up to the rounding of weights and activations."""
  case = cases.config(decoder='gated_pixelcnn')
  model, image, code = (
    _model(case),
    _images(case),
    _codes(case),
  )
  exact = _exact(case)
  with exact.scope():
    found = [
      exact.model.likelihood(code).params(image),
      exact.model.posterior(image).mean(),
    ]
  image, code = (tf.cast(x, tf.float32) for x in (image, code))
  expected = [
    model.likelihood(code).params(image),
    model.posterior(image).mean(),
  ]
  for a, b in zip(found, expected):
    np.testing.assert_allclose(a, b, atol=0.1)
    assert np.abs(a - tf.cast(b, tf.float64)).mean() < 0.01


def test_the_model_itself_is_left_as_it_was():
  case = cases.config()
  model, image = (
    _model(case),
    tf.cast(_images(case), tf.float32),
  )
  before = [v.numpy() for v in model.variables]
  expected = model.posterior(image).mean().numpy()
  exact = compression.ExactModel(model)
  with exact.scope():
    exact.model.posterior(tf.cast(image, tf.float64))
  np.testing.assert_array_equal(model.posterior(image).mean(), expected)
  for v, was in zip(model.variables, before):
    np.testing.assert_array_equal(v, was)
  assert not fixed_point.is_exact()


def test_fingerprints_tell_models_apart():
  case = cases.config()
  model = _model(case)
  own = compression.ExactModel(model).fingerprint
  assert own == compression.ExactModel(_model(case)).fingerprint
  layer = weight_norm.layers_of(model)[0]
  # By one step of the grid of kernels.
  layer.bias.assign(layer.bias + 2.0**-15)
  assert own != compression.ExactModel(model).fingerprint
  other = dataclasses.replace(case, decoder='factorised')
  assert own != compression.ExactModel(_model(other)).fingerprint
