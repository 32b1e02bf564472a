"""Every statistic that a distribution offers is that of its samples."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from conformance import cases
from conformance import test_tfp_distributions as laws

pytestmark = pytest.mark.usefixtures('all_eagerly')

_DRAWS = 20_000
_ERRORS = 5  # Standard errors.
# Left out: `stddev`, `prob` and the logarithms, which TFP computes of these.
_MOMENTS = ('mean', 'variance', 'covariance', 'entropy')


def distributions():
  """Names, and functions that return a distribution of random parameters."""
  for name, shape in laws.usual_priors():
    yield f'prior {name}', lambda n=name, s=shape: laws.prior_of(n, s)()
  for param in laws.posterior_cases():
    if not param.marks:
      case = param.values[0]
      yield f'posterior {param.id}', lambda c=case: laws.posterior_law(c)
  for case in cases.of_each('pixel_distribution'):
    for channels in (1, 3):
      name = f'pixel {case.pixel_distribution},{channels}'
      yield name, lambda c=case, n=channels: pixels(c, n)
  yield 'image', image


def pixels(case, channels):
  """Two pixels; some of a mixture's logistics lie beyond the levels."""
  pixel = cases.pixel_distribution(case)
  shape = [2, pixel.num_params(channels)]
  return pixel.distribution(2 * tf.random.stateless_normal(shape, [0, 2]))


def image():
  case = cases.config()
  network = cases.shared_network(case)
  return cases.image_law(case, network, cases.features(case, 2, 2, 1))


def offered(law, statistic, *args):
  """A statistic, or `None` where it has no closed form."""
  try:
    return getattr(law, statistic)(*args).numpy()
  except NotImplementedError:
    return None


def check(law):
  """Checks what a distribution offers; returns the names of that."""
  draws = tf.identity(law.sample(_DRAWS, seed=(0, 1)))
  log_prob = law.log_prob(draws).numpy()
  draws = draws.numpy()
  centred = draws - draws.mean(0)
  samples = dict(mean=draws, variance=centred**2, entropy=-log_prob)
  if len(law.event_shape) == 1:
    samples['covariance'] = centred[..., :, None] * centred[..., None, :]
  found = {
    name: value
    for name in _MOMENTS
    if (value := offered(law, name)) is not None
  }
  for name, value in found.items():
    of_each = samples[name]
    error = of_each.std(0) / np.sqrt(_DRAWS)
    deviation = np.abs(of_each.mean(0) - value)
    assert (deviation < _ERRORS * error + 1e-3 * (1 + np.abs(value))).all(), (
      name
    )
  mode = offered(law, 'mode')
  if mode is not None:
    assert (law.log_prob(mode).numpy() > log_prob.max(0) - 1e-4).all(), 'mode'
    found['mode'] = mode
  for point in draws[:3]:
    cdf = offered(law, 'cdf', point)
    if cdf is not None:
      axes = tuple(range(draws.ndim - len(law.event_shape), draws.ndim))
      below = (draws <= point).all(axes).mean(0)
      assert (np.abs(cdf - below) < _ERRORS * 0.5 / np.sqrt(_DRAWS)).all()
      found['cdf'] = cdf
  # Of a scalar alone.
  assert offered(law, 'quantile', 0.5) is None
  return set(found)


@pytest.mark.parametrize(
  'make', [pytest.param(make, id=name) for name, make in distributions()]
)
def test_statistics_are_those_of_samples(make, request):
  found = check(make())
  name = request.node.callspec.id
  # What has a closed form is offered, and not left out by mistake.
  if 'flow' in name or 'iaf' in name:
    assert found == {'entropy'}
  elif name.endswith(('gaussian', 'bernoulli,1', 'categorical,3')):
    assert {'mean', 'variance', 'entropy', 'mode'} <= found
  elif name == 'pixel logistic_mixture,1':
    assert {'mean', 'mode'} <= found


def test_divergences_are_those_of_samples():
  """Between all pairs of priors and posteriors, of which TFP knows some."""
  known = 0
  made = [
    (name, make())
    for name, make in distributions()
    if name.startswith(('prior', 'posterior'))
  ]
  for (a, p), (b, q) in itertools.permutations(made, 2):
    if p.event_shape != q.event_shape:
      continue
    value = offered(p, 'kl_divergence', q)
    if value is None:
      continue
    known += 1
    draws = tf.identity(p.sample(_DRAWS, seed=(0, 2)))
    if q.batch_shape.rank and not p.batch_shape.rank:
      draws = tf.repeat(draws[:, None], 2, 1)
    ratio = (p.log_prob(draws) - q.log_prob(draws)).numpy()
    error = ratio.std(0) / np.sqrt(_DRAWS)
    assert (np.abs(ratio.mean(0) - value) < _ERRORS * error + 1e-3).all(), (
      f'{a} from {b}'
    )
  assert known
