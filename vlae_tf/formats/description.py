"""What a shared model is, as data: `config.json` of its folder.

| key | value |
|---|---|
| `format`, `format_version` | `FORMAT`, `VERSION` |
| `vlae_tf_version` | of the package that wrote it |
| `image_shape`, `code_shape` | lists of integers |
| `num_weights` | how many numbers are trained |
| `config` | fields of `Config`, or null: a model of one's own parts |
| `parts` | the registered words for what the config names |
| `weights_dtype` | one of `DTYPES` |
| `files` | `bytes` and `sha256` of each file of weights |
| `about` | data, training and scores, see `runs.about` |
"""

import dataclasses
import hashlib
import importlib
import json
import os
from collections.abc import Mapping
from typing import Any

FORMAT, VERSION = 'vlae_tf', 1
# How floats are written: as they are, or rounded to half of the bytes.
DTYPES = ('float32', 'float16')
# Files of weights.
TENSORS, KERAS = 'model.safetensors', 'model.weights.h5'
# What a card shows of a score.
_NUMBERS = (
  *('nll', 'nll_stderr', 'elbo', 'elbo_stderr', 'gap', 'gap_stderr'),
  *('rate', 'rate_stderr', 'rate_bits', 'bits_per_dim'),
)


@dataclasses.dataclass(frozen=True)
class Description:
  """What `config.json` says; its fields are in the table above."""

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
    _check_sizes('image_shape', self.image_shape, 3)
    _check_sizes('code_shape', self.code_shape)
    for name in ('image_shape', 'code_shape'):
      object.__setattr__(self, name, tuple(getattr(self, name)))
    if type(self.num_weights) is not int or self.num_weights < 0:
      raise ValueError(
        f'`num_weights` must be an integer, got {self.num_weights!r}.'
      )
    for name in ('parts', 'files', 'about'):
      _check_object(name, getattr(self, name))
    if self.config is not None:
      _check_object('config', self.config)
    if self.weights_dtype not in DTYPES:
      raise ValueError(
        f'`weights_dtype` must be one of {DTYPES}, got {self.weights_dtype!r}.'
      )
    self._check_files()
    self._check_about()

  def _check_files(self):
    for name, said in self.files.items():
      _check_object(name, said)
      right = (
        name in (TENSORS, KERAS)
        and said.keys() == {'bytes', 'sha256'}
        and type(said['bytes']) is int
        and isinstance(said['sha256'], str)
      )
      if not right:
        raise ValueError(
          f'`files` must give bytes and sha256 of {TENSORS} and {KERAS}, got '
          f'{said!r} of {name!r}.'
        )

  def _check_about(self):
    for name, kind, words in (
      ('dataset', str, 'a string'),
      ('environment', Mapping, 'a JSON object'),
    ):
      if not isinstance(self.about.get(name), kind | None):
        raise ValueError(
          f'`about` must have for `{name}` {words}, got {self.about[name]!r}.'
        )
    scores = self.about.get('scores', [])
    right = isinstance(scores, list) and all(map(_is_score, scores))
    if not right:
      raise ValueError(
        '`about` must have for `scores` a list of what `evaluate` writes, got '
        f'{scores!r}.'
      )


def package_version() -> str:
  """The version of this package."""
  return importlib.import_module('vlae_tf').__version__


def without_place(dataset: str) -> str:
  """What to call images: where they lie is nobody's business.

  >>> without_place('omniglot'), without_place('/home/me/omniglot/')
  ('omniglot', 'path/to/omniglot')

  Args:
    dataset: Field of a `Config`.

  Returns:
    The name of a data set, or of a path its last part behind `path/to/`, so
    that own images are not taken for those of a known name.
  """
  last = os.path.basename(os.path.normpath(dataset))
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


def from_json(text: str) -> Description:
  """What `config.json` says."""
  fields = json.loads(text)
  if not isinstance(fields, dict) or 'format' not in fields:
    is_run = isinstance(fields, dict) and 'dataset' in fields
    hint = ': it is that of a run, which `vlae_tf.restore` reads'
    raise ValueError(f'it has no key `format`{hint if is_run else ""}')
  if fields.pop('format') != FORMAT:
    raise ValueError(f'its `format` is not {FORMAT!r}, so it is of others')
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
    raise ValueError(f'its keys are others: {error}') from error


def of_file(data: bytes) -> dict[str, Any]:
  """What `files` says of a file of these bytes."""
  return {'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()}


def _check_sizes(name, sizes, num=None):
  right = isinstance(sizes, list | tuple) and num in (None, len(sizes))
  if not right or not all(type(n) is int and n >= 0 for n in sizes):
    raise ValueError(f'`{name}` must be a list of integers, got {sizes!r}.')


def _is_score(score):
  if not isinstance(score, Mapping):
    return False
  counts = [score.get(name) for name in ('num_images', 'num_samples')]
  return all(type(n) is int for n in counts) and all(
    isinstance(score.get(name), int | float | None) for name in _NUMBERS
  )


def _check_object(name, value):
  if not isinstance(value, Mapping):
    raise ValueError(f'`{name}` must be a JSON object, got {value!r}.')
