"""Models of the package, of a folder, or untrained of a preset."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)

import functools
import os
import pathlib
from collections.abc import Sequence

from vlae_tf.data import sources
from vlae_tf.formats import folder
from vlae_tf.formats.description import Description
from vlae_tf.models import builder
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, registry, serialization

_LEAST_BYTES = 2  # Of a number in a file of weights.
SHIPPED = pathlib.Path(__file__).parents[1] / 'pretrained_models'


def names() -> list[str]:
  """Names of the models that come with the package, sorted.

  >>> names()[:2]
  ['caltech101', 'digits']
  """
  return sorted(p.parent.name for p in SHIPPED.glob(f'*/{folder.CONFIG}'))


def check(name: str) -> Description:
  """Reads a model of the package, and verifies the checksums of its weights."""
  described = folder.read(SHIPPED / name)
  folder.load(SHIPPED / name, described)
  return described


def from_pretrained(
  name_or_directory: str | os.PathLike,
  build: builder.ModelBuilder | None = None,
) -> model_lib.VLAE:
  """Loads a trained model from a folder; runs no code of the folder.

  The name of a model that comes with the package takes precedence over the path
  of a folder that `save_pretrained` wrote. `build` makes a model that
  `build_model` did not make, from the folder's `Config` (the default one, if it
  has none) and the image shape.

  >>> model = from_pretrained('digits')
  >>> model.image_shape, model.config.dataset
  ((28, 28, 1), 'digits')

  Raises:
    ValueError: There is no such folder; it is of a later version, holds a file
      that can run code, or its weights are damaged or of another model.
  """
  return load(name_or_directory, build)[0]


def load(
  source: str | os.PathLike,
  build: builder.ModelBuilder | None = None,
  argument: str = 'name_or_directory',
) -> tuple[model_lib.VLAE, Description]:
  """As `from_pretrained`, called `argument` in messages; with description."""
  directory = _directory(source, argument)
  described = folder.read(directory)
  weights = folder.load(directory, described)
  model = _built(directory, described, build, weights.path)
  try:
    if weights.tensors is None:
      model.load_weights(str(weights.path))
    else:
      by_path = serialization.by_path(model.variables)
      folder.assign_weights(weights.tensors, by_path)
    checks.finite_weights({v.path: v.numpy() for v in model.variables})
  # For a file of another model, Keras and HDF5 raise various errors.
  except Exception as error:
    why = str(error).rstrip('.')
    raise ValueError(f'Cannot use {weights.path}: {why}.') from error
  return model, described


def from_preset(
  name: str, image_shape: Sequence[int] | None = None
) -> model_lib.VLAE:
  """An untrained model, as `train --preset=NAME` starts from.

  `image_shape`, `(height, width, channels)`, is by default that of the preset's
  data set.

  >>> from_preset('omniglot').image_shape
  (28, 28, 1)

  Raises:
    ValueError: There is none of that name, or the shape is not known.
  """
  config = config_lib.from_preset(name)
  if image_shape is None:
    image_shape = sources.image_shape(config.dataset)
  return builder.build_model(config, image_shape)


def _directory(source, argument):
  if not isinstance(source, str | os.PathLike):
    raise ValueError(f'`{argument}` must be a name or a path, got {source!r}.')
  given = os.fspath(source)
  if given in names():
    return SHIPPED / given
  # `pathlib` raises for names that are too long.
  if given and os.path.isdir(given):
    return pathlib.Path(given)
  raise ValueError(
    f'`{argument}` must be one of {", ".join(names())}, or a folder, '
    f'got {given!r}.{registry.suggestion(given, names())}'
  )


def _built(directory, described, build, weights):
  if described.config is None and build is None:
    raise ValueError(
      f'`build` must be given for {directory}, a model without a config.'
    )
  path = directory / folder.CONFIG
  try:
    config = config_lib.Config(**config_lib.renamed(described.config or {}))
  except (TypeError, ValueError) as error:
    raise ValueError(
      f'{path} has a config of another version: {error}'
    ) from error
  if build is None:
    most = weights.stat().st_size // _LEAST_BYTES
    build = functools.partial(builder.build_limited, most=most)
  try:
    model = build(config, described.image_shape)
  except ValueError as error:
    raise ValueError(
      f'{path} must describe the model of {weights.name}: {error}'
    ) from error
  shapes = (described.image_shape, described.code_shape)
  found = (tuple(model.image_shape), model.event_shape)
  if found != shapes:
    raise ValueError(
      f'{path} must describe the model: image_shape and code_shape are '
      f'{shapes} there, {found} built.'
    )
  return model
