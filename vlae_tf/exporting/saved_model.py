"""A model as a SavedModel, which needs TensorFlow alone, and its signatures.

DIR/saved_model.pb, DIR/variables/   written by TensorFlow
DIR/assets.extra/signatures.json     inputs and outputs, with units
DIR/README.md                        the same for people

To add a signature, add an entry to `SIGNATURES`.
"""

import dataclasses
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from vlae_tf.distributions import pixel_distributions
from vlae_tf.evaluation import latents, likelihood, sampling
from vlae_tf.formats import card, description
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import weight_norm
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import fields, files, random

_FACTS = 'assets.extra/signatures.json'  # Servers ignore this folder.
_README = 'README.md'
KIND = files.Kind(
  _FACTS,
  (
    *('saved_model.pb', 'fingerprint.pb', 'variables', 'assets'),
    *('assets.extra', _README),
  ),
)

# Sizes of a model, by name, in the shape of a field.
_IMAGE, _GRID, _CODE = 'image', 'grid', 'code'
_SCORE_SAMPLES = 16
# Least and greatest value of inputs that are integers.
_BOUNDS = {
  'seed': (0, random.MAX_SEED),
  'num': (1, 100_000),
  'num_samples': (1, 1_000_000),
}


@dataclasses.dataclass(frozen=True)
class Field:
  """An input or an output."""

  text: str  # Description, with unit.
  # Axes: `None` for any size, 'image' for height, width and channels, 'grid'
  # for height and width, 'code' for the axes of a latent.
  shape: tuple[int | str | None, ...] = (None,)
  dtype: str = 'float32'

  def spec(self, name: str, model: model_lib.VLAE) -> tf.TensorSpec:
    sizes: dict[Any, Any] = {
      _IMAGE: model.image_shape,
      _GRID: model.image_shape[:2],
      _CODE: model.event_shape,
    }
    axes: list[Any] = []
    for size in self.shape:
      axes += sizes.get(size, [size])
    return tf.TensorSpec(axes, self.dtype, name)


@dataclasses.dataclass(frozen=True)
class Signature:
  """A computation with named, typed inputs and outputs."""

  text: str
  inputs: Mapping[str, Field]
  outputs: Mapping[str, Field]
  # Function of a model and of inputs by name that returns tensors in the order
  # of `outputs`.
  compute: Callable[..., Any]

  def bind(self, model: model_lib.VLAE) -> Any:
    """The computation for a model as a `tf.function` of its inputs by name."""
    specs = [f.spec(name, model) for name, f in self.inputs.items()]

    def call(*args):
      # A loaded signature accepts tensors of any shape.
      shaped = [tf.ensure_shape(x, s.shape) for x, s in zip(args, specs)]
      given = dict(zip(self.inputs, shaped, strict=True))
      with tf.control_dependencies(_checks(given, model)):
        given = {name: tf.identity(x) for name, x in given.items()}
      values = self.compute(model, **given)
      return {
        name: tf.ensure_shape(
          tf.identity(value, name), field.spec(name, model).shape
        )
        for (name, field), value in zip(
          self.outputs.items(), values, strict=True
        )
      }

    return tf.function(call, input_signature=specs, autograph=False)


def _checks(given, model):
  """Assertions on inputs, each with the name of the input and its domain."""
  image_axes, code_axes = (
    ', '.join(['batch', *map(str, shape)])
    for shape in (model.image_shape, model.event_shape)
  )
  pixel = getattr(model.likelihood, 'pixel_distribution', None)
  checks = []
  for name, x in given.items():
    if name in _BOUNDS:
      low, high = _BOUNDS[name]
      good = (x >= low) & (x <= high)
      about = [f'`{name}` must be in [{low}, {high}], got', x]
    elif name == 'images':
      # Written so that NaN, which fails every comparison, is caught as well.
      good, values = (x >= 0) & (x <= 1), 'in [0, 1] and no NaN'
      if pixel is not None:
        good = pixel_distributions.in_support(pixel, x)
        values = 'k / 255' if 'levels' in pixel.kinds else '0 or 1'
      if 'mask' in given:
        good |= ~given['mask'][..., None]
      good = tf.reduce_all(good)
      about = [f'`images` must be [{image_axes}] with values {values}']
    elif name == 'codes':
      good = tf.reduce_all(tf.math.is_finite(x))
      about = [f'`codes` must be [{code_axes}], finite numbers']
    else:
      continue
    checks.append(tf.debugging.Assert(good, about))
  return checks


def _estimated(model, images, num_samples, seed):
  index = tf.range(tf.shape(images)[0])
  return likelihood.estimate_in_groups(model, images, index, num_samples, seed)


def _decode(model, codes, seed):
  distribution = model.likelihood(codes)
  images = distribution.sample(seed=random.stream_seed(seed, 'sample', 1))
  pixels = distribution.conditionals(images)
  # Without this method, channels are independent.
  given = getattr(pixels, 'means_given', None)
  return images, pixels.mean() if given is None else given(images)


def _elbo(model, images, seed):
  found = _estimated(model, images, 1, seed)
  return found.elbo, found.rate, found.distortion


def _score(model, images):
  index = tf.zeros(tf.shape(images)[:1], tf.int32)
  found = likelihood.estimate_in_groups(model, images, index, _SCORE_SAMPLES)
  bits = -found.log_prob / math.log(2)
  return [bits / math.prod(model.image_shape)]


_images = Field('pixels, 0 or 1; k / 255 for a model of levels', (None, _IMAGE))
_seed = Field('seed of all random numbers', (), 'int32')
_drawn = Field('drawn images, pixels in [0, 1]', (None, _IMAGE))


def _latent(text):
  return Field(text, (None, _CODE))


SIGNATURES = {
  'encode': Signature(
    'the posterior q(z|x) of each image',
    dict(images=_images),
    dict(
      mean=_latent('mean of q(z|x)'),
      stddev=_latent('standard deviations of q(z|x)'),
      eps=_latent(
        'f^-1(mean), the noise from which the prior computes the mean'
      ),
    ),
    lambda model, images: latents.encode(model, images),
  ),
  'decode': Signature(
    'an image x ~ p(x|z) of each code',
    dict(codes=_latent('z, as `mean` of encode'), seed=_seed),
    dict(
      images=_drawn,
      pixel_means=Field(
        'mean of each channel of a pixel given all drawn before it and the '
        'code',
        (None, _IMAGE),
      ),
    ),
    _decode,
  ),
  'elbo': Signature(
    'the bound and its terms, from one posterior sample per image',
    dict(images=_images, seed=_seed),
    dict(
      elbo=Field('lower bound of log p(x), nats per image'),
      rate=Field('log q(z|x) - log p(z), nats per image'),
      distortion=Field('-log p(x|z), nats per image'),
    ),
    _elbo,
  ),
  'log_prob': Signature(
    'importance-sampled log p(x), in memory independent of num_samples',
    dict(
      images=_images,
      num_samples=Field('importance samples per image', (), 'int32'),
      seed=_seed,
    ),
    dict(log_prob=Field('log p(x), nats per image')),
    lambda model, **given: [_estimated(model, **given).log_prob],
  ),
  'sample': Signature(
    'images x ~ p(x|z) with z ~ p(z)',
    dict(num=Field('number of images', (), 'int32'), seed=_seed),
    dict(images=_drawn),
    lambda model, num, seed: [sampling.samples(model, num, seed)],
  ),
  'reconstruct': Signature(
    'a lossy reconstruction of each image: x ~ p(x|z) with z ~ q(z|x)',
    dict(images=_images, seed=_seed),
    dict(images=_drawn),
    lambda model, images, seed: [
      sampling.decompressions(model, images, 1, seed)[0]
    ],
  ),
  'complete': Signature(
    'the pixels that are not given, drawn; exact where the given ones are the '
    'first in raster order',
    dict(
      images=_images,
      mask=Field('pixels that are given, of all images', (_GRID,), 'bool'),
      seed=_seed,
    ),
    dict(images=_drawn),
    lambda model, images, mask, seed: [
      sampling.completions(model, images, mask, 1, seed)[0]
    ],
  ),
  'score': Signature(
    f'-log p(x) of each image, from {_SCORE_SAMPLES} importance samples with '
    'the same noise for every image',
    dict(images=_images),
    dict(bits_per_dim=Field('bits/dim; high is surprising')),
    _score,
  ),
}


def check_target(directory: str | os.PathLike, overwrite: bool) -> None:
  """Checks, before long work, that a SavedModel can be written and read."""
  files.check_plain(directory, 'out')
  files.check_new_directory(directory, KIND, overwrite)


def write(
  model: model_lib.VLAE,
  directory: str | os.PathLike,
  about: Mapping[str, Any] | None = None,
  overwrite: bool = False,
  names: Sequence[str] = tuple(SIGNATURES),
) -> None:
  """Writes a model with its signatures, atomically."""
  fits = bool(names) and SIGNATURES.keys() >= set(names)
  fields.check('names', names, fits, f'some of {", ".join(SIGNATURES)}')
  chosen = {name: SIGNATURES[name] for name in names}
  check_target(directory, overwrite)
  with files.new_directory(directory, KIND, overwrite) as folder:
    functions, variables = _traced(model, chosen)
    module = tf.Module()
    module.weights = variables
    functions['serving_default'] = functions[names[0]]
    with files.literal(folder) as path:
      tf.saved_model.save(module, path, signatures=functions)
    facts = {
      'vlae_tf': description.package_version(),
      'tensorflow': tf.__version__,
      'image_shape': list(model.image_shape),
      'about': dict(about or {}),
      'signatures': _documented(model, chosen),
    }
    (folder / _FACTS).parent.mkdir()
    text = json.dumps(facts, indent=2, allow_nan=False) + '\n'
    (folder / _FACTS).write_text(text, 'utf-8')
    readme = card.render('saved_model.md.jinja', **facts)
    (folder / _README).write_text(readme, 'utf-8', 'backslashreplace')


def _traced(model, chosen):
  """Concrete functions by signature, and the variables that they read."""
  # Layers that XLA compiles pixel by pixel compute their kernels there, so that
  # the numbers are those of Python to the bit.
  compiled = {
    id(inner)
    for layer in model._flatten_layers()
    if isinstance(layer, causal_network.CausalNetwork)
    for inner in weight_norm.layers_of(layer)
  }
  layers = [
    layer for layer in weight_norm.layers_of(model) if id(layer) not in compiled
  ]
  # Computed once, not at every call; masks would be in the graph many times.
  kernels = [tf.Variable(layer.kernel, trainable=False) for layer in layers]
  with weight_norm.given_kernels(layers, kernels):
    functions = {
      name: signature.bind(model).get_concrete_function()
      for name, signature in chosen.items()
    }
  variables = [*kernels, *(variable.value for variable in model.variables)]
  read = {id(x) for f in functions.values() for x in f.captured_inputs}
  return functions, [v for v in variables if id(v.handle) in read]


def _documented(model, chosen):
  documented = {}
  for name, signature in chosen.items():
    documented[name] = {'text': signature.text} | {
      side: {
        key: {
          'dtype': field.dtype,
          'shape': field.spec(key, model).shape.as_list(),
          'text': field.text,
        }
        for key, field in getattr(signature, side).items()
      }
      for side in ('inputs', 'outputs')
    }
  return documented
