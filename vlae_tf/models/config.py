"""The description of an experiment."""

import dataclasses
import re

from vlae_tf.distributions import pixel_distributions
from vlae_tf.models import (
  architectures,
  decoders,
  objectives,
  posteriors,
  priors,
  schedules,
)
from vlae_tf.nn.pixel import pixel_cnn_pp
from vlae_tf.utils import fields, random

# What is beyond these is a slip of the keyboard, and would fill the memory.
_LARGE, _WIDE, _DEEP = 2**16, 2**12, 2**8


@dataclasses.dataclass(frozen=True)
class Config:
  """Everything that decides what a run computes; the defaults are the paper's.

  Where the paper is silent (batch size, epochs, schedule, clipping) they are
  what reached its neighbourhood in one hour on two CPU cores.

  >>> config = Config(decoder='window', window='5x3')
  >>> config.window_size, config.latent_size
  ((5, 3), 64)

  Raises:
    ValueError: A field is out of its bounds, or two fields contradict.
  """

  dataset: str = fields.field(
    'digits', 'Name of a data set, or path of a directory or .npz of images.'
  )
  train_on: str = fields.field(
    'train', 'Images to train on.', choices=('train', 'train+validation')
  )
  seed: int = fields.field(
    0, 'Seed of everything random.', lower=0, upper=random.MAX_SEED
  )
  encoder: str = fields.field(
    'vector',
    'Shape of the code, encoder and its mirror image.',
    choices=architectures.ENCODERS,
  )
  latent_size: int = fields.field(
    64,
    'Latent dimensions, or maps of a spatial code; 0 for a decoder without a '
    'code.',
    lower=0,
    upper=_LARGE,
  )
  encoder_widths: str = fields.field(
    '16,32,32',
    'Maps of the encoder at each halved resolution; of a spatial one at the '
    'full resolution first.',
  )
  encoder_blocks: str = fields.field(
    '2,2,3', 'Residual blocks of a spatial encoder at each resolution.'
  )
  encoder_units: int = fields.field(
    450, 'Units of the dense layers.', lower=1, upper=_LARGE
  )
  posterior: str = fields.field(
    'gaussian', 'Law of the code given an image.', choices=posteriors.POSTERIORS
  )
  prior: str = fields.field('flow', 'Law of the code.', choices=priors.PRIORS)
  flow_steps: int = fields.field(
    4,
    'Autoregressive flows of the prior, and of --posterior=iaf.',
    lower=1,
    upper=_DEEP,
  )
  flow_units: int = fields.field(
    640,
    'Hidden units of each MADE layer, or maps of each PixelCNN layer.',
    lower=1,
    upper=_LARGE,
  )
  decoder: str = fields.field(
    'pixelcnn',
    'Network of the decoder, and what a pixel sees of the image.',
    choices=decoders.NETWORKS,
  )
  decoder_features: int = fields.field(
    4, 'Maps from code to decoder.', lower=1, upper=_WIDE
  )
  learned_maps: bool = fields.field(
    False,
    'Without a code: the maps are learned, and tell the decoder where a pixel '
    'is.',
  )
  decoder_units: int = fields.field(
    12, 'Maps of the decoder.', lower=1, upper=_WIDE
  )
  decoder_depth: int = fields.field(
    6,
    'Masked convolutions, gated layers, or residual or gated blocks.',
    lower=2,
    upper=_DEEP,
  )
  decoder_tied: bool = fields.field(
    False, 'Tie the masked convolutions, or the residual blocks.'
  )
  vertical_filter: int = fields.field(
    3,
    'Size of the vertical filters of gated_pixelcnn, odd.',
    lower=3,
    upper=_DEEP,
  )
  horizontal_filter: int = fields.field(
    3,
    'Width of the horizontal filters of gated_pixelcnn, odd.',
    lower=3,
    upper=_DEEP,
  )
  window: str = fields.field(
    '4x2',
    'Width x height of the window, in pixels or, downsampled, in blocks.',
  )
  downsampling: int = fields.field(
    2,
    'Height and width of the blocks of downsampled_window.',
    lower=2,
    upper=_DEEP,
  )
  pixel_law: str = fields.field(
    'bernoulli', 'Law of a pixel.', choices=pixel_distributions.PIXEL_LAWS
  )
  objective: str = fields.field(
    'free_bits',
    'What is minimised.',
    choices=objectives.OBJECTIVES,
  )
  free_bits: float = fields.field(
    0.01,
    'Floor (soft: target) of the mean rate, in nats per data dimension; 0 for '
    'none.',
    lower=0.0,
  )
  beta: float = fields.field(
    1.0, 'Price of a nat under --objective=beta.', lower=0.0
  )
  importance_samples: int = fields.field(
    8, 'Codes of each image under --objective=iwae.', lower=1, upper=_LARGE
  )
  kl_warmup_steps: int = fields.field(
    0, "Steps in which the rate's price grows from 0; 0 for none.", lower=0
  )
  horizontal_flips: bool = fields.field(
    False, 'Train on images of which half are mirrored, at random.'
  )
  batch_size: int = fields.field(
    100, 'Images in a global batch.', lower=1, upper=_LARGE
  )
  max_epochs: float = fields.field(
    60.0, 'Epochs to train; the learning-rate schedule spans them.', lower=0.0
  )
  validate_every_epochs: float = fields.field(
    1.0,
    'Epochs between validations, which the best weights, plateau and early '
    'stopping go by; 0 for none.',
    lower=0.0,
  )
  learning_rate: float = fields.field(0.002, 'Rate of Adamax.', lower=0.0)
  learning_rate_schedule: str = fields.field(
    'linear',
    'How the rate goes.',
    choices=schedules.SCHEDULES,
  )
  learning_rate_warmup_steps: int = fields.field(
    0, 'Steps in which the rate grows to its height; 0 for none.', lower=0
  )
  learning_rate_hold: float = fields.field(
    0.5, 'Part of the run before the descent.', lower=0.0, upper=1.0
  )
  plateau_patience: int = fields.field(
    5, 'Validations without progress before the rate is halved.', lower=1
  )
  early_stopping_patience: int = fields.field(
    0, 'Validations without progress before the end; 0 for never.', lower=0
  )
  gradient_clip_norm: float = fields.field(
    100.0, "Upper bound of the mean gradient's norm; 0 for none.", lower=0.0
  )
  polyak_decay: float = fields.field(
    0.998, 'Decay of the averaged weights.', lower=0.0, upper=1.0
  )
  precision: str = fields.field(
    'float32',
    'Arithmetic of the networks; laws and flows stay in float32.',
    choices=('float32', 'mixed_bfloat16', 'mixed_float16'),
  )

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = fields.checked(field, getattr(self, field.name))
      object.__setattr__(self, field.name, value)
    architectures.check(self)
    posteriors.check(self)
    priors.check(self)
    self._check_decoder()
    self._check_validation()
    if self.objective == 'soft_free_bits' and not self.free_bits:
      raise ValueError(
        '`free_bits` must be more than 0 with --objective=soft_free_bits, '
        f'got {self.free_bits}.'
      )

  def _check_validation(self):
    """Checks that what follows validation has something to follow."""
    followers = {
      '--learning_rate_schedule=plateau': self.learning_rate_schedule
      == 'plateau',
      '--early_stopping_patience': self.early_stopping_patience > 0,
    }
    for flag in [flag for flag, is_set in followers.items() if is_set]:
      if self.trains_on_validation:
        raise ValueError(
          f"`train_on` must be 'train' with {flag}, got {self.train_on!r}: "
          'validation images that are trained on do not tell when to stop.'
        )
      if not self.validate_every_epochs:
        raise ValueError(
          f'`validate_every_epochs` must be more than 0 with {flag}, got 0.'
        )

  def _check_decoder(self):
    for name in ('vertical_filter', 'horizontal_filter'):
      size = getattr(self, name)
      if size % 2 == 0:
        raise ValueError(f'`{name}` must be odd, got {size}.')
    if not re.fullmatch('[1-9][0-9]*x[1-9][0-9]*', self.window):
      raise ValueError(
        '`window` must be a width and a height such as 4x2, got '
        f'{self.window!r}.'
      )
    if max(self.window_size) > _DEEP:
      raise ValueError(
        f'`window` must be at most {_DEEP} wide and high, got {self.window!r}.'
      )
    of_layers = ('pixelcnn_pp', 'grey_pixelcnn_pp')
    if self.decoder in of_layers:
      pixel_cnn_pp.check_window(self.window_size)
    if self.decoder_tied and self.decoder in ('gated_pixelcnn', *of_layers):
      raise ValueError(
        f'`decoder_tied` must be false with --decoder={self.decoder}, got true.'
      )
    if not self.latent_size:
      self._check_without_code()
    elif self.learned_maps:
      raise ValueError(
        '`latent_size` must be 0 with --learned_maps, got '
        f'{self.latent_size}: the maps are those of the code.'
      )

  def _check_without_code(self):
    for name, value in [
      ('decoder', 'factorised'),
      ('objective', 'soft_free_bits'),
    ]:
      if getattr(self, name) == value:
        raise ValueError(
          f'`latent_size` must be at least 1 with --{name}={value}, got 0: '
          'without a code there is nothing to hold.'
        )

  @property
  def trains_on_validation(self) -> bool:
    """Whether validation images are trained on, and so tell nothing new."""
    return self.train_on == 'train+validation'

  @property
  def window_size(self) -> tuple[int, int]:
    """`window` as a pair of integers, width and height."""
    width, height = self.window.split('x')
    return int(width), int(height)

  @property
  def widths(self) -> tuple[int, ...]:
    """`encoder_widths` as a tuple of integers."""
    return tuple(int(w) for w in self.encoder_widths.split(','))

  @property
  def blocks(self) -> tuple[int, ...]:
    """`encoder_blocks` as a tuple of integers."""
    return tuple(int(n) for n in self.encoder_blocks.split(','))
