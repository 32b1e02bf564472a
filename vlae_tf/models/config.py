"""Configuration of an experiment: plain data, its checks and its flags.

The choices of a field are registries that the modules of the components fill,
and a component checks the fields that concern it (`check`). `vlae_tf.models`
imports these modules, so that whoever has a `Config` has all of them.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from absl import flags

from vlae_tf.distributions.pixel_distributions import PIXEL_DISTRIBUTIONS
from vlae_tf.utils import fields, presets, random, registry
from vlae_tf.utils.fields import checked, field

ENCODERS = registry.Registry('encoder')
POSTERIORS = registry.Registry('posterior')
PRIORS = registry.Registry('prior')
NETWORKS = registry.Registry('decoder')
OBJECTIVES = registry.Registry('objective')
SCHEDULES = registry.Registry('learning_rate_schedule')

# Larger sizes are typing errors, and would fill the memory.
LARGE, WIDE, DEEP = 2**16, 2**12, 2**8

# Present names of fields by earlier ones, for saved configs and flags.
_RENAMED = {'pixel_law': 'pixel_distribution'}

_checks: list[Callable[['Config'], None]] = []


def check(function: Callable[['Config'], None]) -> Callable[['Config'], None]:
  """Registers a function that raises a `ValueError` for an invalid config."""
  _checks.append(function)
  return function


@dataclasses.dataclass(frozen=True)
class Config:
  """All settings that a run's results depend on; the defaults are the paper's.

  Where the paper specifies none (batch size, epochs, schedule, clipping) they
  came close to its results in one hour on two CPU cores.

  >>> config = Config(decoder='window', window='5x3')
  >>> config.window_size, config.latent_size
  ((5, 3), 64)

  A field out of its bounds, or two that contradict, raise `ValueError`.
  """

  # field(default, help, lower bound, upper bound, choices)
  dataset: str = field(
    'digits', 'Name of a data set, or path of a directory or .npz of images.'
  )
  train_on: str = field(
    'train', 'Images to train on.', choices=('train', 'train+validation')
  )
  seed: int = field(0, 'Seed of everything random.', 0, random.MAX_SEED)
  encoder: str = field(
    'vector', 'Encoder, generator and shape of the latent.', choices=ENCODERS
  )
  latent_size: int = field(
    64, 'Latent dimensions, or channels if it is spatial; 0 for none.', 0, LARGE
  )
  encoder_widths: str = field(
    '16,32,32',
    'Channels of the encoder at each halved resolution; of a spatial one at '
    'the full resolution first.',
  )
  encoder_blocks: str = field(
    '2,2,3', 'Residual blocks of a spatial encoder at each resolution.'
  )
  encoder_units: int = field(450, 'Units of the dense layers.', 1, LARGE)
  posterior: str = field(
    'gaussian', 'Approximate posterior q(z|x).', choices=POSTERIORS
  )
  prior: str = field('flow', 'Prior p(z).', choices=PRIORS)
  flow_steps: int = field(
    4, 'Autoregressive flows of the prior, and of --posterior=iaf.', 1, DEEP
  )
  flow_units: int = field(
    640, 'Units of each MADE layer, channels of each PixelCNN layer.', 1, LARGE
  )
  decoder: str = field(
    'pixelcnn', 'Decoder network and its receptive field.', choices=NETWORKS
  )
  decoder_features: int = field(
    4, 'Feature maps that the decoder gets from the latent.', 1, WIDE
  )
  learned_maps: bool = field(
    False,
    'Without a latent: learn the feature maps, from which the decoder knows '
    'the position of a pixel.',
  )
  decoder_units: int = field(12, 'Channels of the decoder.', 1, WIDE)
  decoder_depth: int = field(
    6, 'Masked convolutions, gated layers, residual or gated blocks.', 2, DEEP
  )
  decoder_tied: bool = field(
    False, 'Tie the masked convolutions, or the residual blocks.'
  )
  vertical_filter: int = field(
    3, 'Size of the vertical filters of gated_pixelcnn, odd.', 3, DEEP
  )
  horizontal_filter: int = field(
    3, 'Width of the horizontal filters of gated_pixelcnn, odd.', 3, DEEP
  )
  window: str = field(
    '4x2', 'Width x height of the window, in pixels or, downsampled, in blocks.'
  )
  downsampling: int = field(
    2, 'Height and width of the blocks of downsampled_window.', 2, DEEP
  )
  pixel_distribution: str = field(
    'bernoulli', 'Distribution of a pixel.', choices=PIXEL_DISTRIBUTIONS
  )
  objective: str = field('free_bits', 'Training objective.', choices=OBJECTIVES)
  free_bits: float = field(
    0.01,
    'Floor (soft: target) of the mean rate, in nats per data dimension; 0 for '
    'none.',
    0.0,
  )
  beta: float = field(1.0, 'Weight of the rate with --objective=beta.', 0.0)
  importance_samples: int = field(
    8, 'Importance samples per image with --objective=iwae.', 1, LARGE
  )
  kl_warmup_steps: int = field(
    0, 'Steps of KL warm-up, a growing weight of the rate; 0 for none.', 0
  )
  horizontal_flips: bool = field(
    False, 'Mirror half of the training images, chosen at random.'
  )
  batch_size: int = field(100, 'Images in a global batch.', 1, LARGE)
  max_epochs: float = field(
    60.0, 'Epochs to train; the learning-rate schedule spans them.', 0.0, 1e9
  )
  validate_every_epochs: float = field(
    1.0,
    'Epochs between validations, on which the best weights, plateau and early '
    'stopping depend; 0 for none.',
    0.0,
  )
  learning_rate: float = field(0.002, 'Learning rate of Adamax.', 0.0)
  learning_rate_schedule: str = field(
    'linear', 'Schedule of the learning rate.', choices=SCHEDULES
  )
  learning_rate_warmup_steps: int = field(
    0, 'Steps of linear growth of the learning rate; 0 for none.', 0
  )
  learning_rate_hold: float = field(
    0.5, 'Fraction of the run before the learning rate decreases.', 0.0, 1.0
  )
  plateau_patience: int = field(
    5, 'Validations without progress before the learning rate is halved.', 1
  )
  early_stopping_patience: int = field(
    0, 'Validations without progress before training ends; 0 for no limit.', 0
  )
  gradient_clip_norm: float = field(
    100.0, 'Upper bound of the norm of the mean gradient; 0 for none.', 0.0
  )
  polyak_decay: float = field(0.998, 'Decay of the averaged weights.', 0.0, 1.0)
  precision: str = field(
    'float32',
    'Arithmetic of the networks; distributions and flows stay in float32.',
    choices=('float32', 'mixed_bfloat16', 'mixed_float16'),
  )

  def __post_init__(self):
    for each in dataclasses.fields(self):
      value = checked(each, getattr(self, each.name))
      object.__setattr__(self, each.name, value)
    for function in _checks:
      function(self)

  @property
  def trains_on_validation(self) -> bool:
    """Whether validation images are among the training images."""
    return self.train_on == 'train+validation'

  @property
  def window_size(self) -> tuple[int, int]:
    """Width and height of `window`."""
    width, height = self.window.split('x')
    return int(width), int(height)

  @property
  def widths(self) -> tuple[int, ...]:
    """`encoder_widths` as integers."""
    return tuple(int(w) for w in self.encoder_widths.split(','))

  @property
  def blocks(self) -> tuple[int, ...]:
    """`encoder_blocks` as integers."""
    return tuple(int(n) for n in self.encoder_blocks.split(','))


@check
def _check_validation(config: Config) -> None:
  flag = None
  if config.learning_rate_schedule == 'plateau':
    flag = '--learning_rate_schedule=plateau'
  elif config.early_stopping_patience:
    flag = '--early_stopping_patience'
  if flag and config.trains_on_validation:
    raise ValueError(
      f"`train_on` must be 'train' with {flag}, got {config.train_on!r}: "
      'validation images that are trained on do not show overfitting.'
    )
  if flag and not config.validate_every_epochs:
    raise ValueError(
      f'`validate_every_epochs` must be more than 0 with {flag}, got 0.'
    )


def renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
  """Saved fields, or flags, by their present names."""
  return {_RENAMED.get(name, name): value for name, value in fields.items()}


def define_flags(
  names: Collection[str] | None = None, values: flags.FlagValues | None = None
) -> None:
  """Defines absl flags for fields of `Config`, by default for all."""
  where: Any = {} if values is None else {'flag_values': values}
  fields.define_flags(Config, names, **where)
  for old, name in _RENAMED.items():
    if names is None or name in names:
      flags.DEFINE_alias(old, name, **where)


def from_flags(values: flags.FlagValues) -> Config:
  """The `Config` of parsed flags; fields without a flag have their default."""
  names = [f.name for f in dataclasses.fields(Config) if f.name in values]
  given: dict[str, Any] = {name: values[name].value for name in names}
  return Config(**given)


def from_args(args: Sequence[str]) -> Config:
  """The `Config` of command-line arguments of `train`; later ones win.

  >>> from_args(['--preset=omniglot', '--seed=8', '--xla=none']).seed
  8
  """
  values = flags.FlagValues()
  define_flags(values=values)
  try:
    values(['', *presets.expand(args)], known_only=True)
  except flags.Error as e:
    raise ValueError(f'`args` must be flags of an experiment: {e}') from e
  return from_flags(values)


def from_preset(name: str) -> Config:
  """The `Config` of `--preset=NAME`.

  >>> from_preset('omniglot_gaussian_prior').prior
  'gaussian'
  """
  return from_args([f'--preset={name}'])


def as_arg(name: str, value: Any) -> str:
  """A field and its value as an argument of `train`.

  >>> as_arg('decoder_tied', False), as_arg('seed', 3)
  ('--nodecoder_tied', '--seed=3')
  """
  if isinstance(value, bool):
    return f'--{name}' if value else f'--no{name}'
  return f'--{name}={value}'
