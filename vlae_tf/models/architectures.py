"""Encoder architectures: shape of the latent, encoder and generator, by name.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (Appendices A and B).
"""

import re
from collections.abc import Sequence
from typing import Protocol

import keras

from vlae_tf.models.config import check, Config, DEEP, ENCODERS, WIDE
from vlae_tf.nn import residual
from vlae_tf.utils import fields

# More halvings than of any image.
_STAGES = 16
_INTEGERS = '[1-9][0-9]*( *, *[1-9][0-9]*)*'


class Architecture(Protocol):
  """An encoder, its mirror image, and the latents between them."""

  is_spatial: bool  # Whether latents are `(height, width, channels)`.

  def event_shape(
    self, config: Config, image_size: Sequence[int]
  ) -> tuple[int, ...]:
    """Shape of the latents of images of `(height, width)`."""

  def encoder(self, config: Config) -> keras.layers.Layer:
    """The network from images to features."""

  def generator(
    self, config: Config, image_size: Sequence[int]
  ) -> keras.layers.Layer:
    """The network from latents to feature maps of the decoder."""


@ENCODERS.register(
  'vector', 'a latent vector, by dense layers on a residual network'
)
class _Vector:
  """The networks of 28x28 images [1, Appendix A]."""

  is_spatial = False

  def event_shape(self, config, image_size):
    return (config.latent_size,)

  def encoder(self, config):
    return residual.Encoder(config.widths, config.encoder_units)

  def generator(self, config, image_size):
    return residual.Generator(
      image_size, config.decoder_features, config.widths, config.encoder_units
    )


@ENCODERS.register(
  'spatial_resnet', 'spatial, of `--latent_size` channels, by residual blocks'
)
class _SpatialResNet:
  """The networks of colour images, residual [1, Appendix B]."""

  is_spatial = True
  _networks = (residual.SpatialEncoder, residual.SpatialGenerator)

  def event_shape(self, config, image_size):
    halvings = len(config.widths) - 1
    size = residual.halved_sizes(image_size, halvings)[-1]
    return (*size, config.latent_size)

  def encoder(self, config):
    return self._networks[0](config.widths, config.blocks)

  def generator(self, config, image_size):
    return self._networks[1](
      image_size, config.decoder_features, config.widths, config.blocks
    )


@ENCODERS.register(
  'spatial_densenet', 'the same by dense blocks, three steps each'
)
class _SpatialDenseNet(_SpatialResNet):
  """The networks of colour images, densely connected [1, Appendix B]."""

  _networks = (residual.DenseNetEncoder, residual.DenseNetGenerator)


def create(config: Config) -> Architecture:
  """The architecture of a config."""
  return ENCODERS[config.encoder]()


def event_shape(config: Config, image_shape: Sequence[int]) -> tuple[int, ...]:
  """Shape of the latents of a config, `(0,)` without latents."""
  if not config.latent_size:
    return (0,)
  return create(config).event_shape(config, image_shape[:2])


@check
def _check(config: Config) -> None:
  for name in ('encoder_widths', 'encoder_blocks'):
    value = getattr(config, name)
    fits = bool(re.fullmatch(_INTEGERS, value))
    fields.check(name, value, fits, 'positive integers and commas')
    numbers, most = value.split(','), DEEP if 'blocks' in name else WIDE
    fits = len(numbers) <= _STAGES and max(map(int, numbers)) <= most
    fields.check(
      name, value, fits, f'at most {_STAGES} numbers, at most {most} each'
    )
  if create(config).is_spatial and len(config.blocks) != len(config.widths):
    raise ValueError(
      '`encoder_blocks` must be as many numbers as `encoder_widths`, '
      f'{config.encoder_widths!r}, with --encoder={config.encoder}, got '
      f'{config.encoder_blocks!r}.'
    )
