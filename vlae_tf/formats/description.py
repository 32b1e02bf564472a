"""Description of a shared model, `config.json` of its folder.

| key | value |
|---|---|
| `format`, `format_version` | `FORMAT`, `VERSION` |
| `vlae_tf_version` | of the package that wrote it |
| `image_shape`, `code_shape` | lists of integers |
| `num_weights` | number of trainable parameters |
| `config` | fields of `Config`, or null: a model of custom parts |
| `parts` | registered descriptions of the names in the config |
| `weights_dtype` | one of `DTYPES` |
| `files` | `bytes` and `sha256` of each file of weights |
| `about` | data, training and scores, see `runs.about` |
"""

import dataclasses
import hashlib
import importlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from vlae_tf.utils import json_files
from vlae_tf.utils.fields import check

FORMAT, VERSION = 'vlae_tf', 1
# Floats are written as they are, or rounded to half of the bytes.
DTYPES = ('float32', 'float16')
# Files of weights.
TENSORS, KERAS = 'model.safetensors', 'model.weights.h5'
_MOST_VALUES = 2**24  # Of an image or a latent; more would fill the memory.
# Forms of JSON files: scores of `evaluate`, and what a run started from.
SCORE: dict[str, Any] = {
  **{'num_images': int, 'num_samples': int},
  **{'split': (str, None), 'step': (int, None)},
  **dict.fromkeys(('nll', 'nll_stderr', 'elbo', 'elbo_stderr'), (float, None)),
  **dict.fromkeys(('gap', 'gap_stderr', 'rate', 'rate_stderr'), (float, None)),
  **dict.fromkeys(('rate_bits', 'bits_per_dim'), (float, None)),
}
START: dict[str, Any] = {'name': str, 'sha256': str}
_ABOUT = {
  **{'dataset': (str, None), 'environment': (dict, None)},
  **{'scores': ([SCORE], None), 'started_from': (START, None)},
}
START['about'] = _ABOUT
_FORM = {
  **{'image_shape': [int], 'code_shape': [int], 'num_weights': int},
  **{'config': (dict, None), 'parts': dict, 'about': _ABOUT},
  'files': {str: {'bytes': int, 'sha256': str}},
}


@dataclasses.dataclass(frozen=True)
class Description:
  """Contents of `config.json`, see the table above."""

  vlae_tf_version: str
  image_shape: tuple[int, ...]
  code_shape: tuple[int, ...]
  num_weights: int
  config: Mapping[str, Any] | None = None
  parts: Mapping[str, str] = dataclasses.field(default_factory=dict)
  weights_dtype: str = 'float32'
  files: Mapping[str, Mapping[str, Any]] = dataclasses.field(
    default_factory=dict
  )
  about: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    json_files.check(vars(self), _FORM)
    for name in ('image_shape', 'code_shape'):
      sizes = getattr(self, name)
      fits = all(size >= 0 for size in sizes)
      fits = fits and (name == 'code_shape' or len(sizes) == 3)
      check(name, sizes, fits, 'a list of sizes')
      needs = f'of at most {_MOST_VALUES} values'
      check(name, sizes, math.prod(sizes) <= _MOST_VALUES, needs)
      object.__setattr__(self, name, tuple(sizes))
    known = self.files.keys() <= {TENSORS, KERAS}
    check('files', [*self.files], known, f'of {TENSORS} and {KERAS}')
    fits = self.weights_dtype in DTYPES
    check('weights_dtype', self.weights_dtype, fits, f'one of {DTYPES}')


def package_version() -> str:
  """The version of this package."""
  # The package imports this module by its public names.
  return importlib.import_module('vlae_tf').__version__


def without_place(dataset: str) -> str:
  """Name of a data set without the user's directories, for publication.

  >>> without_place('omniglot'), without_place('/home/me/omniglot/')
  ('omniglot', 'path/to/omniglot')
  """
  last = os.path.basename(os.path.normpath(dataset))
  # A path keeps a prefix, so as not to be taken for a known name.
  return dataset if last == dataset else f'path/to/{last}'


def to_json(description: Description) -> str:
  """The text of `config.json`."""
  fields = {'format': FORMAT, 'format_version': VERSION}
  fields |= dataclasses.asdict(description)
  try:
    return json.dumps(fields, indent=2, allow_nan=False) + '\n'
  except (TypeError, ValueError) as error:
    raise ValueError(
      f'`about` must be finite numbers, strings, lists and dictionaries: '
      f'{error}.'
    ) from error


def from_fields(fields: dict[str, Any]) -> Description:
  """The description of which `config.json` holds the fields."""
  if 'format' not in fields:
    hint = ': it is that of a run, which `vlae_tf.restore` reads'
    is_run = 'dataset' in fields
    raise ValueError(f'it has no key `format`{hint if is_run else ""}')
  if fields.pop('format') != FORMAT:
    raise ValueError(
      f'its `format` is not {FORMAT!r}, so it is of another library'
    )
  version = fields.pop('format_version', None)
  if type(version) is not int or version < 1:
    raise ValueError(f'its `format_version` must be 1, got {version!r}')
  if version > VERSION:
    raise ValueError(
      f'it is of format {version}, written by vlae_tf '
      f'{fields.get("vlae_tf_version", "of a later version")}, and this '
      f'version reads formats up to {VERSION}: install a later one'
    )
  try:
    return Description(**fields)
  except TypeError as error:
    raise ValueError(f'unexpected or missing keys: {error}') from error


def of_file(data: bytes) -> dict[str, Any]:
  """Entry of a file in `files`."""
  return {'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()}
