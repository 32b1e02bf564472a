"""Mean-only autoregressive flow steps as TFP bijectors.

#### References

[1]: Papamakarios et al. Masked Autoregressive Flow for Density Estimation. NIPS
     2017, arXiv:1705.07057.
[2]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (section 3.2).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors
# Its base class, which TFP makes where a bijector is no `CompositeTensor`.
_Transformed: Any = tfp.distributions.TransformedDistribution.__base__


class AutoregressiveShift(tfb.Bijector):
  """`z[i] = eps[i] + shift(z[0:i])`, a bijector of volume one.

  The inverse, which is enough for a density, is one parallel pass of the
  network; the forward direction is sequential in the event dimension ([1],
  [2]). TFP's `MaskedAutoregressiveFlow` makes a full pass for every variable
  there.

  >>> from vlae_tf import nn
  >>> made = nn.MADE(4, hidden=(8, 8))
  >>> made.build((None, 4))
  >>> flow = AutoregressiveShift(made, made.unroll)
  >>> z = tf.identity(flow.forward(tf.ones([3, 4])))  # Not from TFP's cache.
  >>> bool(tf.reduce_all(tf.abs(flow.inverse(z) - 1.0) < 1e-5))
  True

  `shift` takes `z`, shape `[n, *event_shape]` with `event_ndims` axes of an
  event, to shifts of the same shape, each from the elements of `z` before it
  alone. `unroll(eps, update)` returns the `z` for which `z = update(eps,
  shift(z))`, as `MADE.unroll`; updates of equal steps are equal and have equal
  hashes.
  """

  def __init__(
    self,
    shift: Callable[[tf.Tensor], tf.Tensor],
    unroll: Callable[[tf.Tensor, Callable], tf.Tensor],
    event_ndims: int = 1,
    validate_args: bool = False,
    name: str = 'autoregressive_shift',
  ):
    parameters = dict(locals())
    with tf.name_scope(name) as name:
      self._shift = shift
      self._unroll = unroll
      # Not `is_constant_jacobian`: the determinant is constant, the entries are
      # not, and TFP would return a wrong mean and covariance.
      super().__init__(
        forward_min_event_ndims=event_ndims,
        validate_args=validate_args,
        parameters=parameters,
        name=name,
      )

  def with_shift(
    self, change: Callable[[tf.Tensor], tf.Tensor]
  ) -> 'AutoregressiveShift':
    """The step with an element-wise function applied to the shifts."""
    return AutoregressiveShift(
      lambda z: change(self._shift(z)),
      lambda eps, update: self._unroll(eps, _Changed(update, change)),
      self.forward_min_event_ndims,
      name=self.name,
    )

  @classmethod
  def _parameter_properties(cls, dtype):
    return {}

  def _forward(self, eps):
    return self._on_batch(lambda e: self._unroll(e, tf.add), eps)

  def _inverse(self, z):
    return z - self._on_batch(self._shift, z)

  def _forward_log_det_jacobian(self, eps):
    return tf.zeros([], eps.dtype)

  def _inverse_log_det_jacobian(self, z):
    return tf.zeros([], z.dtype)

  def _on_batch(self, fn, x):
    """Applies a function of `[n, *event_shape]` to `[..., *event_shape]`."""
    event = tf.shape(x)[-self.forward_min_event_ndims :]
    flat = tf.reshape(x, tf.concat([[-1], event], 0))
    return tf.reshape(fn(flat), tf.shape(x))


class FlowDistribution(_Transformed):
  """`z = f(eps)`, with `f` of volume one: `eps` and `z` have one entropy.

  Other moments of `z` have no closed form, and raise `NotImplementedError`.
  """

  def _entropy(self, **kwargs):
    return self.distribution.entropy(**kwargs)


def chain(
  steps: Sequence[tfb.Bijector],
  event_shape: Sequence[int],
  axes: Sequence[int] = (-1,),
) -> tfb.Chain:
  """Chains flows; events are reversed along some axes in between [2]."""
  reverse = [
    tfb.Permute(list(reversed(range(event_shape[axis]))), axis=axis)
    for axis in axes
  ]
  parts = [part for step in steps for part in (step, *reverse)]
  # TFP would name it after all of its steps, in every operation.
  return tfb.Chain(parts[: -len(reverse)], name='flow')


@dataclasses.dataclass(frozen=True)
class _Changed:
  """An update with a function applied to the shifts."""

  update: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
  change: Callable[[tf.Tensor], tf.Tensor]

  def __call__(self, eps, shift):
    return self.update(eps, self.change(shift))
