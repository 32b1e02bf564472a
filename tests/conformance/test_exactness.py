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

from conformance import cases, elsewhere
from vlae_tf import coding
from vlae_tf.coding import lattice
from vlae_tf.nn import fixed_point, weight_norm

_NUM = 3
_WORKER = pathlib.Path(elsewhere.__file__)
each_decoder = cases.each(
  [
    *cases.of_each('decoder', pixel_law='bernoulli'),
    *cases.model_configs()[-1:],
    cases.config(pixel_law='categorical', decoder='gated_pixelcnn'),
  ]
)


@functools.cache
def _exact(case):
  return coding.ExactModel(cases.fresh_model(case))


def _images(case, num=_NUM):
  """Images of the grid, float64."""
  x = cases.images(case, num, *cases.IMAGE_SHAPE).astype('float64')
  return tf.constant(np.floor(x * 2**10 + 0.5) / 2**10)


def _codes(case, num=_NUM):
  """Codes of a lattice, some of them far out."""
  z = 4 * np.random.default_rng(0).normal(size=(num, case.latent_size))
  return lattice.nearest(tf.constant(z), 1 / 16)


@dataclasses.dataclass(frozen=True)
class _Copy:
  """An `updates.Update` that copies given pixels and notes the parameters."""

  def __call__(self, noise, params, state, front):
    del noise
    pixels, noted = state
    batch = pixels.shape[1]
    rows = tf.reshape(params, [-1, batch, params.shape[-1]])
    noted = tf.tensor_scatter_nd_update(noted, front.pixel[:, None], rows)
    copied = tf.gather(pixels, front.pixel)
    return tf.reshape(copied, [-1, pixels.shape[-1]]), (pixels, noted)


def _pixel_by_pixel(law, network, image, jit_compile):
  """What the loop of a receiver gets to see, as `law.params(image)`."""
  num, height, width, channels = image.shape
  pixels = tf.reshape(tf.transpose(image, [1, 2, 0, 3]), [-1, num, channels])
  pixels = tf.pad(pixels, [[0, 1], [0, 0], [0, 0]])
  outputs = law.pixel_law.num_params(channels)
  state = (pixels, tf.zeros([*pixels.shape[:2], outputs], image.dtype))
  if jit_compile:
    copied, (_, noted) = law.decide(_Copy(), state)
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


@each_decoder
def test_pixel_by_pixel_parameters_are_those_of_one_pass(case):
  exact, image = _exact(case), _images(case)
  with exact.scope():
    law = exact.model.likelihood(_codes(case))
    expected = law.params(image).numpy()
    for jit_compile in (False, True):
      found = _pixel_by_pixel(
        law, exact.model.likelihood.network, image, jit_compile
      )
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


def _check_ways(fn, *args):
  """Checks that a function gives the same compiled and in any batch."""
  expected = [x.numpy() for x in fn(*args)]
  ways = {
    'compiled': _compiled(fn)(*args),
    'reversed': [x[::-1] for x in fn(*(x[::-1] for x in args))],
    'alone': [
      tf.concat(x, 0)
      for x in zip(*(fn(*(x[k:][:1] for x in args)) for k in range(5)))
    ],
  }
  for way, found in ways.items():
    for a, b in zip(found, expected, strict=True):
      np.testing.assert_array_equal(a, b, err_msg=way)


@each_decoder
def test_parameters_are_the_same_compiled_and_in_any_batch(case):
  exact = _exact(case)
  with exact.scope():
    _check_ways(
      lambda image, code: [exact.model.likelihood(code).params(image)],
      _images(case, 5),
      _codes(case, 5),
    )


def _posterior_places(posterior, image):
  """Means, and the places of a slot: scales may differ in their last bits."""
  law = posterior(image)
  params = tf.stack([law.mean(), law.stddev()], -1)
  slot = tf.fill(tf.shape(params)[:-1], tf.constant(12345678, tf.int64))
  place, interval = coding.GaussianSymbols(1 / 16).locate(params, slot)
  return law.mean(), place, *interval


@cases.each([cases.config(posterior='gaussian')])
def test_posteriors_are_the_same_compiled_and_in_any_batch(case):
  exact = _exact(case)
  with exact.scope():
    places = functools.partial(_posterior_places, exact.model.posterior)
    _check_ways(places, _images(case, 5))


@pytest.mark.parametrize('step', [1 / 16, 4.0])
def test_flows_undo_themselves_compiled_and_in_any_batch(step):
  exact = _exact(cases.config(prior='flow'))
  size = exact.model.event_shape[0]
  z = 9 * np.random.default_rng(0).normal(size=(40, size))
  z = lattice.nearest(tf.constant(z), step)
  with exact.scope():
    flow = coding.on_lattice(exact.model.prior.bijector(), step)

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


def _start(saved, given, out, threads, **flags):
  environment = os.environ | flags
  command = [sys.executable, _WORKER, saved, given, out, str(threads)]
  return subprocess.Popen(command, env=environment)


def test_processes_of_other_threads_and_flags_compute_the_same(tmp_path):
  """And read what was written here."""
  case = cases.config(decoder='gated_pixelcnn')
  model = cases.fresh_model(case)
  saved, given = tmp_path / 'model.keras', tmp_path / 'given.npz'
  model.save(saved)
  exact = coding.ExactModel(model)
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
  eigen = '--xla_cpu_multi_thread_eigen='
  outs = [tmp_path / f'{threads}.npz' for threads in (1, 2)]
  running = [
    _start(
      saved,
      given,
      outs[0],
      1,
      XLA_FLAGS=f'{eigen}false',
      TF_ENABLE_ONEDNN_OPTS='0',
      OMP_NUM_THREADS='1',
    ),
    _start(
      saved,
      given,
      outs[1],
      2,
      XLA_FLAGS=f'{eigen}true',
      TF_ENABLE_ONEDNN_OPTS='1',
      OMP_NUM_THREADS='2',
    ),
  ]
  assert [process.wait() for process in running] == [0, 0]
  for out in outs:
    found = np.load(out)
    assert {*found['digests'].tolist(), *expected} == {expected[0]}
    assert str(found['fingerprint']) == exact.fingerprint.hex()
  np.testing.assert_array_equal(np.load(outs[0])['decoded'], images)


def test_weights_that_could_be_rounded_are_refused():
  for value in (np.nan, np.inf, 2000.0):
    model = cases.fresh_model(cases.config())
    layer = weight_norm.layers_of(model)[-1]
    layer.bias.assign(np.full(layer.bias.shape, value))
    with pytest.raises(ValueError, match='`model` must have finite weights'):
      coding.ExactModel(model)


def test_laws_are_near_those_of_the_model():
  """Up to the rounding of weights and activations."""
  case = cases.config(decoder='gated_pixelcnn')
  model, image, code = cases.fresh_model(case), _images(case), _codes(case)
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
  model, image = cases.fresh_model(case), tf.cast(_images(case), tf.float32)
  before = [v.numpy() for v in model.variables]
  expected = model.posterior(image).mean().numpy()
  exact = coding.ExactModel(model)
  with exact.scope():
    exact.model.posterior(tf.cast(image, tf.float64))
  np.testing.assert_array_equal(model.posterior(image).mean(), expected)
  for v, was in zip(model.variables, before):
    np.testing.assert_array_equal(v, was)
  assert not fixed_point.is_exact()


def test_fingerprints_tell_models_apart():
  case = cases.config()
  model = cases.fresh_model(case)
  own = coding.ExactModel(model).fingerprint
  assert own == coding.ExactModel(cases.fresh_model(case)).fingerprint
  layer = weight_norm.layers_of(model)[0]
  # By one step of the grid of kernels.
  layer.bias.assign(layer.bias + 2.0**-15)
  assert own != coding.ExactModel(model).fingerprint
  other = dataclasses.replace(case, decoder='factorised')
  assert own != coding.ExactModel(cases.fresh_model(other)).fingerprint
