"""A model as a SavedModel: what runs where TensorFlow does, and nothing else.

DIR/saved_model.pb, DIR/variables/   TensorFlow's
DIR/assets.extra/signatures.json     what goes in and comes out, with units
DIR/README.md                        the same for people
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from vlae_tf.exporting import signatures
from vlae_tf.formats import description
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import weight_norm
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import files

_FACTS = 'assets.extra/signatures.json'  # Where servers keep what is not run.
_README = 'README.md'
KIND = files.Kind(
  _FACTS,
  (
    *('saved_model.pb', 'fingerprint.pb', 'variables', 'assets'),
    *('assets.extra', _README),
  ),
)


def write(
  model: model_lib.VLAE,
  directory: str | os.PathLike,
  about: Mapping[str, Any] | None = None,
  overwrite: bool = False,
  names: Sequence[str] = tuple(signatures.SIGNATURES),
) -> None:
  """Writes a model with its signatures, whole or not at all."""
  unknown = [name for name in names if name not in signatures.SIGNATURES]
  if unknown or not names:
    raise ValueError(
      f'`names` must be some of {", ".join(signatures.SIGNATURES)}, got '
      f'{names!r}.'
    )
  chosen = {name: signatures.SIGNATURES[name] for name in names}
  with files.new_directory(directory, KIND, overwrite) as folder:
    functions, variables = _traced(model, chosen)
    module = tf.Module()
    module.weights = variables
    functions['serving_default'] = functions[names[0]]
    tf.saved_model.save(module, str(folder), signatures=functions)
    _describe(model, chosen, folder, dict(about or {}))


def _traced(model, chosen):
  """Concrete functions by signature, and the variables that they read."""
  layers = _frozen_layers(model)
  # Computed once, not at every call; masks would be in the graph many times.
  kernels = [tf.Variable(layer.kernel, trainable=False) for layer in layers]
  with weight_norm.given_kernels(layers, kernels):
    functions = {
      name: signature.bind(model).get_concrete_function()
      for name, signature in chosen.items()
    }
  own = [variable.value for variable in model.variables]
  return functions, list(_read(functions.values(), [*kernels, *own]))


def _frozen_layers(model):
  """Layers whose kernels are made plain."""
  # Those that XLA compiles pixel by pixel compute their own, and so the very
  # numbers that they have in Python.
  compiled = {
    id(inner)
    for layer in model._flatten_layers()
    if isinstance(layer, causal_network.CausalNetwork)
    for inner in weight_norm.layers_of(layer)
  }
  return [
    layer
    for layer in weight_norm.layers_of(model)
    if layer.built and id(layer) not in compiled
  ]


def _read(functions: Iterable[Any], variables):
  """Those of some variables that functions capture."""
  handles = {id(x) for function in functions for x in function.captured_inputs}
  return (v for v in variables if id(v.handle) in handles)


def _describe(model, chosen, folder, about):
  fields = {
    'vlae_tf': description.package_version(),
    'tensorflow': tf.__version__,
    'image_shape': list(model.image_shape),
    'about': about,
    'signatures': _documented(model, chosen),
  }
  (folder / _FACTS).parent.mkdir()
  text = json.dumps(fields, indent=2, allow_nan=False) + '\n'
  (folder / _FACTS).write_text(text, 'utf-8')
  (folder / _README).write_text(_readme(fields), 'utf-8')


def _documented(model, chosen):
  """Names, shapes, dtypes and words of all that goes in and comes out."""
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


_INTRODUCTION = """# A Variational Lossy Autoencoder as a SavedModel

{facts}

It runs wherever TensorFlow does; neither vlae_tf nor Keras nor TensorFlow
Probability is needed.

```python
import tensorflow as tf

model = tf.saved_model.load('.').signatures
images = model['sample'](num=tf.constant(4), seed=tf.constant(0))['images']
code = model['encode'](images=images)['mean']
```

Of sizes, `?` is any number. The first call of a signature that draws images
compiles for that number of images, which takes seconds.
"""


def _readme(fields):
  facts = [
    f'- {key}: {value}'
    for key, value in fields['about'].items()
    if not isinstance(value, dict | list)
  ]
  lines = [_INTRODUCTION.format(facts='\n'.join(facts))]
  for name, signature in fields['signatures'].items():
    lines += [f'## {name}', '', f'{signature["text"]}.', '']
    lines += ['| | name | type | shape | |', '|---|---|---|---|---|']
    for side in ('inputs', 'outputs'):
      rows = signature[side].items()
      lines += [_row(side[:-3], key, field) for key, field in rows]
    lines.append('')
  return '\n'.join(lines)


def _row(side, key, field):
  axes = ', '.join('?' if n is None else str(n) for n in field['shape'])
  text = field['text'].replace('|', '\\|')
  return f'| {side} | `{key}` | {field["dtype"]} | `[{axes}]` | {text} |'
