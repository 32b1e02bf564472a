"""A model whose laws have the same parameters wherever they are computed."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import fixed_point, weight_norm

# Of the grids of `fixed_point`, the tables of the laws and the order of symbols
# in a message: files of another one cannot be read.
ARITHMETIC = 1
FINGERPRINT_BYTES = 8
# What a config says besides what is computed.
_IGNORED = ('name', 'dtype', 'trainable', 'module', 'seed', 'objective')


class ExactModel:
  """A twin of a model that computes with numbers of a grid, see `fixed_point`.

  Its laws are those of the model up to the rounding of weights and activations;
  inside `scope`, their parameters do not depend on threads, batches, devices or
  whether networks are evaluated in parallel or pixel by pixel.

  Attributes:
    original: The model.
    model: `VLAE` of dtype float64, to be called inside `scope` alone.
    fingerprint: Bytes that tell models, and versions of what is computed with
      them, apart.
  """

  def __init__(self, model: model_lib.VLAE):
    """Makes the twin.

    Args:
      model: Built `VLAE` of parts that can be saved.

    Raises:
      ValueError: The parts cannot be saved, the weights are not finite or so
        large that sums could be rounded, or the device rounds them.
    """
    fixed_point.check_device()
    model.image_shape  # noqa: B018  # Raises where the model is not built.
    config = _config(model)
    with _float64_layers():
      twin = type(model).from_config(_with_float64(config))
      twin.build((None, *model.image_shape))
    for own, there in zip(twin.variables, model.variables, strict=True):
      own.assign(there)
    self.original, self.model = model, twin
    self._layers = [x for x in weight_norm.layers_of(twin) if x.built]
    kernels = [_quantized_kernel(layer) for layer in self._layers]
    self.fingerprint = _fingerprint(config, self._layers, kernels, twin)
    self._kernels = [tf.Variable(kernel, trainable=False) for kernel in kernels]

  @contextlib.contextmanager
  def scope(self) -> Iterator[None]:
    """Lets the model compute exactly; functions are to be traced inside."""
    given = weight_norm.given_kernels(self._layers, self._kernels)
    with fixed_point.exact(), given:
      yield


def _config(model):
  try:
    return model.get_config()
  except NotImplementedError as error:
    raise ValueError(
      f'`model` must be of parts that can be saved, got one that cannot: '
      f'{error}'
    ) from error


@contextlib.contextmanager
def _float64_layers():
  """Lets layers that are told no dtype be of float64."""
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy('float64')
  try:
    yield
  finally:
    keras.config.set_dtype_policy(before)


def _with_float64(config: Any) -> Any:
  """A config whose layers compute in float64."""
  if isinstance(config, list | tuple):
    return [_with_float64(c) for c in config]
  if not isinstance(config, dict):
    return config
  if config.get('class_name') == 'DTypePolicy':
    return config | {'config': {'name': 'float64'}}
  return {
    name: 'float64' if name == 'dtype' and value else _with_float64(value)
    for name, value in config.items()
  }


def _quantized_kernel(layer):
  """The kernel of a layer on the grid; its bias is put there as well."""
  kernel = fixed_point.quantized(layer.kernel.numpy())
  bias = fixed_point.quantized(layer.bias.numpy())
  units = -2 if layer._gain_shape == (-1, 1) else -1
  others = tuple(n for n in range(kernel.ndim) if n != kernel.ndim + units)
  most = np.abs(kernel).sum(others) + np.abs(bias)
  # Written so that NaN, which fails every comparison, is caught as well.
  if not (most < fixed_point.MAX_WEIGHT).all():
    raise ValueError(
      '`model` must have finite weights, the absolute ones of a unit below '
      f'{fixed_point.MAX_WEIGHT:.0f} in all, got {most.max()} in {layer.path}.'
    )
  layer.bias.assign(bias)
  return kernel


def _fingerprint(config, layers, kernels, model):
  digest = hashlib.sha256()
  text = json.dumps(_computed(config), sort_keys=True, default=str)
  digest.update(f'{ARITHMETIC} {model.image_shape} {text}'.encode())
  steps = 2.0**fixed_point.KERNEL_BITS
  for layer, kernel in zip(layers, kernels):
    for weights in (kernel, layer.bias.numpy()):
      digest.update(str(weights.shape).encode())
      digest.update((weights * steps).astype('<i8').tobytes())
  return digest.digest()[:FINGERPRINT_BYTES]


def _computed(config):
  """What of a config decides what is computed."""
  if isinstance(config, list | tuple):
    return [_computed(c) for c in config]
  if not isinstance(config, dict):
    return config
  return {k: _computed(v) for k, v in config.items() if k not in _IGNORED}
