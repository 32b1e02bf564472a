"""Small configs, networks and models of everything that is registered."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
import toys

from vlae_tf.distributions import autoregressive_image, pixel_distributions
from vlae_tf.models import architectures, decoders
from vlae_tf.models import config as config_lib
from vlae_tf.utils import registry

IMAGE_SHAPE = (3, 4, 1)
# Different numbers, where they may differ, tell axes from each other.
_SIZES = dict(
  latent_size=3,
  encoder_widths='4',
  encoder_blocks='1',
  encoder_units=6,
  flow_units=7,
  decoder_features=2,
  decoder_units=5,
  window='2x1',
  importance_samples=2,
)
# What a name needs of other fields.
_SPATIAL = dict(encoder_widths='4,4', encoder_blocks='1,2', flow_units=11)
_NEEDS = {
  'spatial_resnet': _SPATIAL,
  'spatial_densenet': _SPATIAL,
  'pixelcnn_pp': dict(window='4x2'),
  'grey_pixelcnn_pp': dict(window='3x2'),
}
# Fields that make quite another network of a component of the same name.
_VARIANTS = {
  'pixelcnn': dict(decoder_depth=3, decoder_tied=True),
  'gated_pixelcnn': dict(vertical_filter=5, horizontal_filter=7),
  'window': dict(window='1x1'),
  'pixelcnn_pp': dict(decoder_depth=3),
}


def config(**changes):
  """The smallest config, with changes and what these need."""
  fields = _SIZES | changes
  of_places = fields.get('prior', '').endswith('pixelcnn_flow')
  if of_places and not _is_spatial(fields):
    fields |= dict(encoder='spatial_resnet')
  if _is_spatial(fields):
    # Such codes have one posterior.
    fields |= dict(posterior='gaussian')
  for name in list(fields.values()):
    fields |= _NEEDS.get(name, {})
  return toys.small_config(**fields)


def _is_spatial(fields):
  name = fields.get('encoder', 'vector')
  return architectures.ENCODERS[name]().is_spatial


def registries():
  """Fields of a config that choose something registered: their registries."""
  return {
    field.name: field.metadata['choices']
    for field in dataclasses.fields(config_lib.Config)
    if isinstance(field.metadata['choices'], registry.Registry)
  }


def of_each(*fields, **changes):
  """Configs for each name that fields may have, one name changed at a time."""
  return [
    config(**{field: name}, **changes)
    for field in fields
    for name in registries()[field]
  ]


def model_configs():
  """As few configs as hold every name once, and two without a code."""
  names = registries()
  rows = [
    {field: list(names[field])[k % len(names[field])] for field in names}
    for k in range(max(map(len, names.values())))
  ]
  without_code = dict(latent_size=0), dict(latent_size=0, learned_maps=True)
  found = [config(**row) for row in [*rows, *without_code]]
  # What a row's other names do not go with.
  missing = [
    case
    for field in names
    for case in of_each(field)
    if getattr(case, field) not in {getattr(c, field) for c in found}
  ]
  return found + missing


def products(*fields, **changes):
  """Allowed configs of every choice of parts, tied decoders and not."""
  names = [registries()[field] for field in fields]
  rows = itertools.product(*names, (False, True))
  rows = (dict(zip((*fields, 'decoder_tied'), row)) for row in rows)
  found = (_if_allowed(changes | row) for row in rows)
  return list(dict.fromkeys(case for case in found if case))


def pairwise(*fields, **changes):
  """A few of `products` that hold every pair of choices that one of them holds.

  Greedy: each config is one that holds the most pairs that are missing.
  """
  rows = {
    case: set(itertools.combinations(_choices(case, fields), 2))
    for case in products(*fields, **changes)
  }
  missing, found = set().union(*rows.values()), []
  while missing:
    best = max(rows, key=lambda case: len(rows[case] & missing))
    missing -= rows[best]
    found.append(best)
  return found


def _choices(case, fields):
  return [(name, getattr(case, name)) for name in (*fields, 'decoder_tied')]


def network_configs():
  """Every network: as it is, tied and without a code, where that is allowed.

  Each is with one pixel law, taken in turns.
  """
  forms = []
  for name in registries()['decoder']:
    variant = _VARIANTS.get(name, {})
    for change in ({}, dict(decoder_tied=True), variant, dict(latent_size=0)):
      forms.append(dict(decoder=name) | change)
  laws = itertools.cycle(registries()['pixel_distribution'])
  allowed = dict.fromkeys(case for case in map(_if_allowed, forms) if case)
  return [
    dataclasses.replace(case, pixel_distribution=next(laws)) for case in allowed
  ]


def _if_allowed(fields):
  """The config, or `None` where its fields contradict each other."""
  try:
    return config(**fields)
  except ValueError:
    return None


def label(case):
  """What is special about a config, the name of its test."""
  usual = dataclasses.asdict(config())
  changed = {
    name: value
    for name, value in dataclasses.asdict(case).items()
    if value != usual[name]
  }
  return ','.join(f'{name}={value}' for name, value in changed.items()) or '-'


def each(configs):
  """Runs a test for each different config, its argument `case`."""
  return pytest.mark.parametrize('case', dict.fromkeys(configs), ids=label)


each_network = each(network_configs())
each_model = each(model_configs())


def pixel_distribution(case):
  """The pixel law of a config."""
  return pixel_distributions.PIXEL_DISTRIBUTIONS[case.pixel_distribution]()


def channels(case, least=2):
  """The fewest channels, from some on, that pixels of a config's law have."""
  law = pixel_distribution(case)
  return next(c for c in range(least, 9) if _is_law_of(law, c))


def _is_law_of(law, channels):
  try:
    return law.num_params(channels) > 0
  except ValueError:
    return False


def values(law):
  """All that a pixel of a law can be, an array."""
  if 'levels' in law.kinds:
    return (np.arange(256) / 255).astype('float32')
  return np.array([0, 1], 'float32')


def images(case, *shape, seed=0):
  """Random images `[..., height, width, channels]` of a config's law."""
  rng = np.random.default_rng(seed)
  return rng.choice(values(pixel_distribution(case)), shape)


def noise(model, num, seed=0):
  """Noise of the codes of so many images."""
  shape = (num, *model.event_shape)
  return np.random.default_rng(seed).standard_normal(shape).astype('float32')


def fresh_network(case, channels=1, build=toys.build_network):
  """The network of a config, with random weights, for images of any size."""
  outputs = pixel_distribution(case).num_params(channels)
  network = decoders.NETWORKS[case.decoder](case, outputs)
  return build(network, channels, maps=_maps(case))


def features(case, *shape, seed=0):
  """Random features for the network of a config."""
  return toys.features(*shape, seed=seed, maps=_maps(case))


def _maps(case):
  return case.decoder_features if case.latent_size else 0


def image_law(case, network, features, channels=1, jit_compile=False):
  """The law of images that a network makes of features."""
  return autoregressive_image.AutoregressiveImage(
    network,
    features,
    channels,
    pixel_distribution(case),
    unroll=functools.partial(network.unroll, jit_compile=jit_compile),
  )


def fresh_model(case):
  """The model of a config, with random gains and biases."""
  return toys.random_model(case, IMAGE_SHAPE)


# Whoever changes weights takes fresh ones.
shared_network = functools.cache(fresh_network)
shared_model = functools.cache(fresh_model)
