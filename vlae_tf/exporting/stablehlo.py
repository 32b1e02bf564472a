"""`encode` and `elbo` as StableHLO, for compilers other than TensorFlow.

As random numbers differ between compilers, the noise is an input of `elbo`.

DIR/NAME.stablehlo   MLIR bytecode with weights, for one batch size
DIR/signatures.json  inputs and outputs, in order
"""

import functools
import inspect
import json
import os

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from vlae_tf.evaluation import latents
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import weight_norm
from vlae_tf.utils import checks, files

_FACTS = 'signatures.json'
KIND = files.Kind(
  'encode.stablehlo', ('encode.stablehlo', 'elbo.stablehlo', _FACTS)
)


def _elbo(model, images, noise):
  terms = model(images, noise)
  return dict(elbo=terms.elbo, rate=terms.rate, distortion=terms.distortion)


_COMPUTATIONS = {
  'encode': lambda model, images: latents.encode(model, images)._asdict(),
  'elbo': _elbo,
}


def write(
  model: model_lib.VLAE,
  directory: str | os.PathLike,
  batch_size: int = 1,
  overwrite: bool = False,
) -> None:
  """Writes both computations, atomically; StableHLO cannot check inputs."""
  checks.integer('batch_size', batch_size, 1)
  with files.new_directory(directory, KIND, overwrite) as folder:
    described = {}
    for name, compute in _COMPUTATIONS.items():
      function, specs, outputs = _frozen(model, compute, batch_size)
      (folder / f'{name}.stablehlo').write_bytes(_lowered(function, specs))
      described[name] = {
        'inputs': {s.name: s.shape.as_list() for s in specs},
        'outputs': outputs,
      }
    text = json.dumps(described, indent=2) + '\n'
    (folder / _FACTS).write_text(text, 'utf-8')


def _frozen(model, compute, batch_size):
  """A computation with constant weights; its inputs; names of its outputs."""
  sizes = {'images': model.image_shape, 'noise': model.event_shape}
  specs = [
    tf.TensorSpec([batch_size, *sizes[name]], tf.float32, name)
    for name in list(inspect.signature(compute).parameters)[1:]
  ]
  layers = weight_norm.layers_of(model)
  kernels = [layer.kernel for layer in layers]
  with weight_norm.given_kernels(layers, kernels):
    function = tf.function(functools.partial(compute, model), autograph=False)
    concrete = function.get_concrete_function(*specs)
  # Loops stay loops: XLA does not know the operations of lowered loops.
  frozen = convert_to_constants.convert_variables_to_constants_v2(
    concrete, lower_control_flow=False
  )
  # A dictionary's values come in the order of its keys.
  return frozen, specs, sorted(concrete.structured_outputs)


def _lowered(function, specs):
  compiled = tf.function(
    lambda *args: function(*args), input_signature=specs, jit_compile=True
  )
  lower = compiled.experimental_get_compiler_ir(*specs)
  return lower(stage='stablehlo_serialized', platform_name='CPU')
