"""Steps of flows are monotonic in each number, and flows are made of such.

What `assert_scalar_congruency` of TFP's repository, which is in no wheel,
checks of bijectors of one number: they are monotonic, both directions undo each
other, and their volume is how much longer they make a line. That whole flows
are bijections is tested with their laws, in `test_tfp_distributions`.
"""

import functools
import inspect
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from conformance import cases, test_coverage
from conformance import test_tfp_distributions as laws
from vlae_tf import nn
from vlae_tf.distributions import autoregressive_shift
from vlae_tf.models import posteriors

tfb = tfp.bijectors

_LINE = np.linspace(-3, 3, 10, dtype='float32')


def step_of_made(context_size):
  """A step of vectors, which sees a context like that of a posterior."""
  network = nn.MADE(3, (5, 4), context_size=context_size)
  network.build((None, 3))
  laws.with_weights(network)
  if not context_size:
    return autoregressive_shift.AutoregressiveShift(network, network.unroll)
  one = np.random.default_rng(1).random((1, context_size), 'float32')

  def context(z):
    return tf.tile(one, [tf.shape(z)[0], 1])

  return autoregressive_shift.AutoregressiveShift(
    lambda z: network(z, context(z)),
    lambda eps, update: network.unroll(eps, update, context(eps)),
  )


def step_of_places(kind):
  """A step of codes with places."""
  network = kind((4, 5))
  network.build_for((1, 2, 2))
  laws.with_weights(network)
  unroll = functools.partial(network.unroll_shift, jit_compile=False)
  return autoregressive_shift.AutoregressiveShift(network.shift, unroll, 3)


# Of each network that steps are made of: what makes one, the shape of a code.
_STEPS = {
  'MADE': (step_of_made, 0, (3,)),
  'MADE of a context': (step_of_made, 2, (3,)),
  'ShiftCNN': (step_of_places, nn.ShiftCNN, (1, 2, 2)),
  'ChannelwiseShiftCNN': (
    step_of_places,
    nn.ChannelwiseShiftCNN,
    (1, 2, 2),
  ),
}


@pytest.mark.parametrize('name', _STEPS)
def test_each_number_of_a_step_is_monotonic_in_its_own_noise(name):
  """Of slope one, as the volume is one; the numbers before do not change."""
  make, of, shape = _STEPS[name]
  step, size = make(of), math.prod(shape)
  base = np.random.default_rng(4).standard_normal(size).astype('float32')
  x = np.tile(base, [size, len(_LINE), 1])
  for k in range(size):
    x[k, :, k] = _LINE
  y = step.forward(tf.constant(x.reshape(size, -1, *shape)))
  again = step.inverse(tf.identity(y))
  np.testing.assert_allclose(np.reshape(again, x.shape), x, atol=1e-5)
  y = np.reshape(y, x.shape)
  for k, line in enumerate(y):
    assert (np.diff(line[:, k]) > 0).all()
    np.testing.assert_allclose(np.ptp(line[:, k]), np.ptp(_LINE), rtol=1e-5)
    np.testing.assert_allclose(np.ptp(line[:, :k], 0), 0.0, atol=1e-5)
  # Later numbers do: the first moves the last.
  assert np.ptp(y[0, :, -1]) > 0.01


def parts(flow):
  """The bijectors that a flow is a chain of."""
  if hasattr(flow, 'bijectors'):
    return [part for inner in flow.bijectors for part in parts(inner)]
  return parts(flow.bijector) if hasattr(flow, 'bijector') else [flow]


def test_flows_are_chains_of_steps_that_are_tested():
  ours = {
    thing
    for module in test_coverage.modules()
    for thing in vars(module).values()
    if inspect.isclass(thing)
    and issubclass(thing, tfb.Bijector)
    and thing.__module__.startswith('vlae_tf.')
  }
  assert ours == {autoregressive_shift.AutoregressiveShift}
  flows = [laws.prior_of(*case.values).bijector() for case in laws.flow_cases()]
  for name in posteriors.POSTERIORS:
    law = laws.posterior_law(cases.config(posterior=name, latent_size=2))
    if name != 'gaussian':
      flows.append(law.bijector)
  allowed = (*ours, tfb.Permute, tfb.Reshape)
  for flow in flows:
    assert all(isinstance(part, allowed) for part in parts(flow)), flow
    assert sum(isinstance(part, (*ours,)) for part in parts(flow)) > 1, flow
