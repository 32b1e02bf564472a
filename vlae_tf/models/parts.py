"""What the three parts of a model are: base classes for those of one's own.

A sub-class says its law in `call` and makes its variables in `build`. To be
saved with a model it is decorated with `serialization.register`.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import gaussians
from vlae_tf.utils import checks

tfd = tfp.distributions


class Posterior(keras.layers.Layer):
  """`q(z|x)`: from images `[batch, height, width, channels]` to a law of codes.

  The law has batch shape `[batch]` and event shape `event_shape`, and is one
  that `reparameterized.draw` knows.
  """

  def __init__(
    self, event_shape: int | Sequence[int], name: str = 'posterior', **kwargs
  ):
    """Creates the layer.

    Args:
      event_shape: Shape of a code, or its number of dimensions.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: `event_shape` is not a shape.
    """
    super().__init__(name=name, **kwargs)
    self.event_shape = gaussians.as_event_shape(event_shape)

  def __call__(self, image: tf.Tensor) -> tfd.Distribution:
    """The law; it is built for the first images that it gets."""
    # image [batch, height, width, channels]
    checks.images('image', image, _built_for(self))
    return super().__call__(image)


class Prior(keras.layers.Layer):
  """`p(z)`: a layer without input that returns a law of codes.

  The law has no batch shape, and event shape `event_shape`.
  """

  def __init__(
    self, event_shape: int | Sequence[int], name: str = 'prior', **kwargs
  ):
    """Creates the layer.

    Args:
      event_shape: Shape of a code, or its number of dimensions.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: `event_shape` is not a shape.
    """
    super().__init__(name=name, **kwargs)
    self.event_shape = gaussians.as_event_shape(event_shape)

  def build(self, input_shape: Any = None) -> None:
    """Creates the variables; by default there are none."""

  def __call__(self) -> tfd.Distribution:
    """The law; it is built at the first call."""
    # Keras's own `__call__` fails on a layer without input.
    self.build_once()
    return self.call()

  def build_once(self) -> None:
    """Creates the variables, if they are not there."""
    if not self.built:
      self.build(None)

  def call(self) -> tfd.Distribution:
    """The law, a `tfd.Distribution`."""
    raise NotImplementedError


class Likelihood(keras.layers.Layer):
  """`p(x|z)`: from codes `[..., *event_shape]` to a law of images.

  The law has batch shape `[...]` and event shape `[height, width, channels]`.
  """

  def __init__(self, name: str = 'likelihood', **kwargs):
    """Creates the layer.

    Args:
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(name=name, **kwargs)

  def __call__(self, z: tf.Tensor) -> tfd.Distribution:
    """The law; it is built for the first codes that it gets."""
    # z [..., *event_shape]
    checks.ends_in('z', z, _built_for(self) or ())
    return super().__call__(z)


def check_posterior(posterior: Any) -> None:
  """Checks that a model can use a posterior."""
  if not callable(posterior) or not hasattr(posterior, 'event_shape'):
    raise ValueError(
      '`posterior` must be callable with images and have `event_shape`, the '
      'shape of a code: derive it from `models.Posterior`, got '
      f'{posterior!r}.'
    )


def check_prior(prior: Any, event_shape: Sequence[int]) -> None:
  """Checks that a model can use a prior."""
  # Keras's own `__call__` asks for an input.
  of_keras = isinstance(prior, keras.layers.Layer) and (
    type(prior).__call__ is keras.layers.Layer.__call__
  )
  if not callable(prior) or of_keras:
    raise ValueError(
      '`prior` must be callable without input, which Keras layers are not: '
      f'derive it from `models.Prior`, got {prior!r}.'
    )
  own = tuple(getattr(prior, 'event_shape', event_shape))
  if own != tuple(event_shape):
    raise ValueError(
      '`prior` must be of the codes of `posterior`, of shape '
      f'{tuple(event_shape)}, got {own}.'
    )


def check_likelihood(likelihood: Any) -> None:
  """Checks that a model can use a likelihood."""
  if not callable(likelihood):
    raise ValueError(
      '`likelihood` must be callable with codes: derive it from '
      f'`models.Likelihood`, got {likelihood!r}.'
    )


def check_law(name: str, law: Any) -> None:
  """Checks that a part returned a law."""
  if not hasattr(law, 'log_prob'):
    raise ValueError(
      f'`{name}` must return a `tfd.Distribution`, got {type(law).__name__}.'
    )


def _built_for(layer):
  """The shape of one input that a layer was built for, or `None`."""
  shape = (layer.get_build_config() or {}).get('input_shape')
  return None if shape is None else tuple(shape)[1:]
