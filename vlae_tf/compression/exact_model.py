"""Bit-exact evaluation of a model on any CPU, batch and thread count."""

import contextlib
import hashlib
import json
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import fixed_point, weight_norm

# Version of the grids of `fixed_point`, the tables of probabilities and the
# order of symbols in a message: files of another one cannot be read.
ARITHMETIC = 1
FINGERPRINT_BYTES = 8
# Fields of a config that do not affect what is computed.
_IGNORED = ('name', 'dtype', 'trainable', 'module', 'seed', 'objective')


class ExactModel:
  """A copy of a model that computes on a grid of numbers, see `fixed_point`.

  Its distributions are those of the model up to the rounding of weights and
  activations. Inside `scope`, their parameters do not depend on threads,
  batches, devices or whether networks are evaluated in parallel or pixel by
  pixel.

  Attributes:
    original: The model.
    model: `VLAE` of dtype float64, to be called only inside `scope`.
    fingerprint: Bytes that identify the weights, the architecture and
      `ARITHMETIC`.
  """

  def __init__(self, model: model_lib.VLAE):
    """Makes the copy.

    Raises:
      ValueError: The model is not built, a part is not serializable, the
        weights are not finite or so large that sums could be rounded, or the
        device rounds them.
    """
    fixed_point.check_device()
    model.image_shape  # noqa: B018  # Raises if the model is not built.
    try:
      config = model.get_config()
    except NotImplementedError as error:
      raise ValueError(
        '`model` must be of parts that can be saved, got one that cannot: '
        f'{error}'
      ) from error
    # Where the model comes from does not affect what it computes.
    config.pop('config', None)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy('float64')
    try:
      copy = type(model).from_config(_mapped(_with_float64, config))
      copy.build((None, *model.image_shape))
    finally:
      keras.config.set_dtype_policy(policy)
    for variable, original in zip(copy.variables, model.variables, strict=True):
      variable.assign(original)
    self.original, self.model = model, copy
    self._layers = weight_norm.layers_of(copy)
    kernels = [_quantized_kernel(layer) for layer in self._layers]
    self.fingerprint = _fingerprint(config, self._layers, kernels, copy)
    self._kernels = [tf.Variable(kernel, trainable=False) for kernel in kernels]

  @contextlib.contextmanager
  def scope(self) -> Iterator[None]:
    """Makes the model compute exactly; functions are to be traced inside."""
    given = weight_norm.given_kernels(self._layers, self._kernels)
    with fixed_point.exact(), given:
      yield


def _mapped(fn, config):
  """A nested config with a function applied to each dictionary."""
  if isinstance(config, list | tuple):
    return [_mapped(fn, c) for c in config]
  if not isinstance(config, dict):
    return config
  return {name: _mapped(fn, value) for name, value in fn(config).items()}


def _with_float64(config):
  if config.get('class_name') == 'DTypePolicy':
    return config | {'config': {'name': 'float64'}}
  return config | {'dtype': 'float64'} if config.get('dtype') else config


def _quantized_kernel(layer):
  """The kernel of a layer, rounded to the grid; rounds its bias as well."""
  kernel = fixed_point.quantized(layer.kernel.numpy())
  bias = fixed_point.quantized(layer.bias.numpy())
  units = -2 if layer._gain_shape == (-1, 1) else -1
  others = tuple(n for n in range(kernel.ndim) if n != kernel.ndim + units)
  most = np.abs(kernel).sum(others) + np.abs(bias)
  # `not` so that NaN, which fails every comparison, is caught as well.
  if not (most < fixed_point.MAX_WEIGHT).all():
    raise ValueError(
      '`model` must have finite weights, the absolute ones of a unit below '
      f'{fixed_point.MAX_WEIGHT:.0f} in all, got {most.max()} in {layer.path}.'
    )
  layer.bias.assign(bias)
  return kernel


def _fingerprint(config, layers, kernels, model):
  def computed(fields):
    return {k: v for k, v in fields.items() if k not in _IGNORED}

  digest = hashlib.sha256()
  text = json.dumps(_mapped(computed, config), sort_keys=True, default=str)
  digest.update(f'{ARITHMETIC} {model.image_shape} {text}'.encode())
  steps = 2.0**fixed_point.KERNEL_BITS
  for layer, kernel in zip(layers, kernels):
    for weights in (kernel, layer.bias.numpy()):
      digest.update(str(weights.shape).encode())
      digest.update((weights * steps).astype('<i8').tobytes())
  return digest.digest()[:FINGERPRINT_BYTES]
