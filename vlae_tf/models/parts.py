"""Base classes of the three components of a model, and checks of them.

A subclass returns a distribution from `call` and makes its variables in
`build`. Decorated with `serialization.register`, it is saved with a model.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import reparameterized
from vlae_tf.utils import checks, fields

tfd = tfp.distributions


class Posterior(keras.layers.Layer):
  """`q(z|x)`: from images `[batch, height, width, channels]` to a distribution.

  The distribution has batch shape `[batch]` and event shape `event_shape`, or
  `[event_shape]` for an integer, and `reparameterized.draw` supports it.
  """

  def __init__(
    self, event_shape: int | Sequence[int], name: str = 'posterior', **kwargs
  ):
    super().__init__(name=name, **kwargs)
    check_precision(self)
    self.event_shape = reparameterized.as_event_shape(event_shape)

  def __call__(self, image: tf.Tensor) -> tfd.Distribution:
    """`q(z|image)`; the first call builds the layer."""
    checks.images('image', image, _built_for(self))
    return super().__call__(image)


class Prior(keras.layers.Layer):
  """`p(z)`: a layer without input that returns a distribution of latents.

  The distribution has no batch shape; its event shape is as in `Posterior`.
  """

  def __init__(
    self, event_shape: int | Sequence[int], name: str = 'prior', **kwargs
  ):
    super().__init__(name=name, **kwargs)
    check_precision(self)
    self.event_shape = reparameterized.as_event_shape(event_shape)

  def build(self, input_shape: Any = None) -> None:
    """Creates the variables; by default there are none."""

  def __call__(self) -> tfd.Distribution:
    """`p(z)`; the first call builds the layer."""
    # Keras's own `__call__` fails on a layer without input.
    self.build_once()
    return self.call()

  def build_once(self) -> None:
    """Creates the variables unless they exist."""
    if not self.built:
      self.build(None)

  def call(self) -> tfd.Distribution:
    """`p(z)`."""
    raise NotImplementedError


class Likelihood(keras.layers.Layer):
  """`p(x|z)`: from latents `[..., *event_shape]` to a distribution of images.

  The distribution has batch shape `[...]` and event shape `[height, width,
  channels]`.
  """

  def __init__(self, name: str = 'likelihood', **kwargs):
    super().__init__(name=name, **kwargs)
    check_precision(self)

  def __call__(self, z: tf.Tensor) -> tfd.Distribution:
    """`p(x|z)`; the first call builds the layer."""
    checks.ends_in('z', z, _built_for(self) or ())
    return super().__call__(z)


def check_precision(
  part: Any, precisions: Sequence[str] = ('float32', 'float64')
) -> None:
  """Checks that distributions are not computed in less than they need."""
  policy = getattr(part, 'dtype_policy', None)
  found = precisions[0] if policy is None else policy.name
  fields.check(
    'dtype',
    found,
    found in precisions,
    f'{" or ".join(precisions)} in {type(part).__name__} (`keras.config` sets '
    'that of all layers, `Config.precision` that of the networks alone)',
  )


def check(posterior: Any, prior: Any, likelihood: Any) -> None:
  """Checks that a model can be made of three components."""
  fields.check(
    'posterior',
    posterior,
    callable(posterior) and hasattr(posterior, 'event_shape'),
    'callable with images and have `event_shape`, the shape of a latent: '
    'derive it from `models.Posterior`',
  )
  # Keras's own `__call__` asks for an input.
  of_keras = isinstance(prior, keras.layers.Layer) and (
    type(prior).__call__ is keras.layers.Layer.__call__
  )
  fields.check(
    'prior',
    prior,
    callable(prior) and not of_keras,
    'callable without input, which Keras layers are not: derive it from '
    '`models.Prior`',
  )
  shape = tuple(posterior.event_shape)
  own = tuple(getattr(prior, 'event_shape', shape))
  if own != shape:
    raise ValueError(
      f'`prior` must have the event shape of `posterior`, {shape}, got {own}.'
    )
  fields.check(
    'likelihood',
    likelihood,
    callable(likelihood),
    'callable with latents: derive it from `models.Likelihood`',
  )


def _built_for(layer):
  """The shape of one input that a layer was built for, or `None`."""
  shape = (layer.get_build_config() or {}).get('input_shape')
  return None if shape is None else tuple(shape)[1:]
