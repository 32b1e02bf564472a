"""What an exported model can be asked: named, typed inputs and outputs.

A new signature: a function of a model and of its inputs by name, registered
with what goes in and comes out.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from vlae_tf.evaluation import drawing, encoding, importance
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import random

# Sizes that are the model's, by name, among the numbers of a shape.
_IMAGE, _GRID, _CODE = 'image', 'grid', 'code'
_SCORE_SAMPLES = 16
_MOST_SAMPLES = 1_000_000
_MOST_IMAGES = 100_000


@dataclasses.dataclass(frozen=True)
class Field:
  """An input or an output."""

  text: str  # What it is, with its unit.
  # Axes: `None` for any size, 'image' for height, width and channels, 'grid'
  # for height and width, 'code' for the axes of a code.
  shape: tuple[int | str | None, ...] = (None,)
  dtype: str = 'float32'  # Name of a dtype.

  def spec(self, name: str, model: model_lib.VLAE) -> tf.TensorSpec:
    """The `tf.TensorSpec` of it for a model."""
    axes: list[Any] = []
    for size in self.shape:
      axes += _sizes(size, model)
    return tf.TensorSpec(axes, self.dtype, name)


def _sizes(size, model):
  if size == _IMAGE:
    return model.image_shape
  if size == _GRID:
    return model.image_shape[:2]
  return model.event_shape if size == _CODE else [size]


@dataclasses.dataclass(frozen=True)
class Signature:
  """A computation, and what goes in and comes out."""

  text: str  # What it does.
  inputs: Mapping[str, Field]  # `Field`s by name.
  outputs: Mapping[str, Field]  # `Field`s by name.
  # Function of a model and of inputs by name that returns tensors in the order
  # of `outputs`.
  compute: Callable[..., Any]

  def bind(self, model: model_lib.VLAE) -> Any:
    """The computation of a model as a `tf.function` of its inputs by name."""
    specs = [f.spec(name, model) for name, f in self.inputs.items()]

    def call(*args):
      # A loaded signature lets tensors of any shape pass.
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
  """Assertions on inputs, each naming the input and what it must be."""
  return [
    check
    for name, value in given.items()
    if name in _RULES
    for check in _RULES[name](value, model)
  ]


def _in_bounds(name, low, high):
  def rule(value, model):
    del model
    good = (value >= low) & (value <= high)
    return [_must(good, f'`{name}` must be in [{low}, {high}], got', value)]

  return rule


def _unit_interval(value, model):
  axes = ', '.join(map(str, model.image_shape))
  # Written so that NaN, which fails every comparison, is caught as well.
  good = tf.reduce_all((value >= 0) & (value <= 1))
  text = f'`images` must be [batch, {axes}] with values in [0, 1] and no NaN'
  return [_must(good, text)]


def _finite(value, model):
  axes = ', '.join(map(str, model.event_shape))
  good = tf.reduce_all(tf.math.is_finite(value))
  return [_must(good, f'`codes` must be [batch, {axes}], finite numbers')]


def _must(good, *data):
  return tf.debugging.Assert(good, list(data))


_RULES: dict[str, Callable[..., list[Any]]] = {
  'images': _unit_interval,
  'codes': _finite,
  'seed': _in_bounds('seed', 0, random.MAX_SEED),
  'num': _in_bounds('num', 1, _MOST_IMAGES),
  'num_samples': _in_bounds('num_samples', 1, _MOST_SAMPLES),
}

# All that there are, by name.
SIGNATURES: dict[str, Signature] = {}

_images = Field('pixels in [0, 1], binary for a binary model', (None, _IMAGE))
_seed = Field('decides all that is random', (), 'int32')
_num_samples = Field('codes drawn for each image', (), 'int32')
_drawn = Field('drawn images, pixels in [0, 1]', (None, _IMAGE))


def _codes(text):
  return Field(text, (None, _CODE))


def _register(name, text, inputs, outputs):
  def register(compute):
    SIGNATURES[name] = Signature(text, inputs, outputs, compute)
    return compute

  return register


@_register(
  'encode',
  'the posterior q(z|x) of each image',
  dict(images=_images),
  dict(
    mean=_codes('mean of q(z|x)'),
    stddev=_codes('standard deviations of q(z|x)'),
    eps=_codes('f^-1(mean), the noise that the prior makes the mean of'),
  ),
)
def _encode(model, images):
  return encoding.encode(model, images)


@_register(
  'decode',
  'an image x ~ p(x|z) of each code',
  dict(codes=_codes('z, as `mean` of encode'), seed=_seed),
  dict(
    images=_drawn,
    pixel_means=Field(
      'mean of each pixel given the drawn pixels before it and the code',
      (None, _IMAGE),
    ),
  ),
)
def _decode(model, codes, seed):
  law = model.likelihood(codes)
  images = law.sample(seed=random.stream_seed(seed, 'sample', 1))
  return images, law.conditionals(images).mean()


@_register(
  'elbo',
  'the bound and its terms, from one code of each image',
  dict(images=_images, seed=_seed),
  dict(
    elbo=Field('lower bound of log p(x), nats an image'),
    rate=Field('log q(z|x) - log p(z), nats an image'),
    distortion=Field('-log p(x|z), nats an image'),
  ),
)
def _elbo(model, images, seed):
  found = _estimated(model, images, 1, seed)
  return found.elbo, found.rate, found.distortion


@_register(
  'log_prob',
  'importance-sampled log p(x), in memory that num_samples does not add to',
  dict(images=_images, num_samples=_num_samples, seed=_seed),
  dict(log_prob=Field('log p(x), nats an image')),
)
def _log_prob(model, images, num_samples, seed):
  return [_estimated(model, images, num_samples, seed).log_prob]


@_register(
  'sample',
  'images x ~ p(x|z) of codes z ~ p(z)',
  dict(num=Field('number of images', (), 'int32'), seed=_seed),
  dict(images=_drawn),
)
def _sample(model, num, seed):
  return [drawing.samples(model, num, seed)]


@_register(
  'reconstruct',
  'an image drawn from the code of each image: what the code keeps',
  dict(images=_images, seed=_seed),
  dict(images=_drawn),
)
def _reconstruct(model, images, seed):
  return [drawing.decompressions(model, images, 1, seed)[0]]


@_register(
  'complete',
  'the pixels that are not given, drawn; exact where the given ones are the '
  'first in raster order',
  dict(
    images=_images,
    mask=Field('pixels that are given, of all images', (_GRID,), 'bool'),
    seed=_seed,
  ),
  dict(images=_drawn),
)
def _complete(model, images, mask, seed):
  return [drawing.completions(model, images, mask, 1, seed)[0]]


@_register(
  'score',
  f'-log p(x) of each image by itself, from {_SCORE_SAMPLES} codes made of '
  'the same noise for every image',
  dict(images=_images),
  dict(bits_per_dim=Field('bits a pixel and channel; high is surprising')),
)
def _score(model, images):
  index = tf.zeros(tf.shape(images)[:1], tf.int32)
  found = importance.estimate_in_groups(model, images, index, _SCORE_SAMPLES)
  bits = -found.log_prob / math.log(2)
  return [bits / math.prod(model.image_shape)]


def _estimated(model, images, num_samples, seed):
  index = tf.range(tf.shape(images)[0])
  return importance.estimate_in_groups(model, images, index, num_samples, seed)
