"""What Keras and users of a model of three laws need around the laws."""

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from vlae_tf.formats import description, folder
from vlae_tf.models import config as config_lib
from vlae_tf.models import terms as terms_lib
from vlae_tf.utils import checks, devices, fields, random, serialization

_PARTS = ('posterior', 'prior', 'likelihood', 'objective')
_STATE = 'state_'  # Begins the keys of these in a saved model.


class Fitting(keras.Model):
  """A Keras model whose `fit` minimises the objective of its `Terms`."""

  # It checks its images, keeps its parts, is saved with all of its state and is
  # shared. A sub-class has `objective`, `event_shape` and `draw_terms`, and
  # sets `_image_shape` when it is built.

  objective: terms_lib.Objective
  _image_shape: tuple[int | None, ...]

  def __init__(self, *args, seed: int = 0, **kwargs):
    # Likelihoods are float32, however it comes to compute.
    devices.configure()
    super().__init__(*args, **kwargs)
    # What `build_model` was given; `None` for a model of other parts.
    self.config: config_lib.Config | None = None
    self._seed = checks.integer('seed', seed, 0, random.MAX_SEED)
    self._seeds = keras.random.SeedGenerator(self._seed, name='noise')
    self._means = [
      keras.metrics.Mean(name='distortion_nats'),
      keras.metrics.Mean(name='rate_nats'),
    ]

  def __setattr__(self, name, value):
    changed = name in _PARTS and getattr(self, name, None) is not value
    if changed and getattr(self, 'built', False):
      raise ValueError(
        f'`{name}` of a built model must stay the layer that it is, '
        f'{getattr(self, name)!r}, got {value!r}: '
        f'`model.with_parts({name}=...)` makes another model.'
      )
    super().__setattr__(name, value)

  @property
  def image_shape(self) -> tuple[int | None, ...]:
    """`(height, width, channels)` of the images that it was built for."""
    if not self.built:
      raise ValueError(
        '`model` must be built, `model.build((None, height, width, channels))`'
        f', got {self.name!r} without variables.'
      )
    return self._image_shape

  @property
  def event_shape(self) -> tuple[int, ...]:
    """Shape of a code."""
    raise NotImplementedError

  def draw_terms(self, image: tf.Tensor, num_samples=()) -> terms_lib.Terms:
    """Terms of the bound, from fresh draws of the code for each image."""
    raise NotImplementedError

  def compute_loss(
    self, x=None, y=None, y_pred=None, sample_weight=None, training=True
  ):
    """What `fit` minimises: this replica's share of the objective."""
    del y
    if sample_weight is not None:
      raise ValueError('`sample_weight` must be None: images weigh the same.')
    objective = self.objective
    if objective.num_samples > 1:
      # Keras has called the model, which draws one code.
      y_pred = self.draw_terms(x, (objective.num_samples,))
    distortion, rate = objective.parts(y_pred)
    for metric, term in zip(self._means, (distortion, rate)):
      metric.update_state(term)
    loss = objective.loss(y_pred, self.optimizer.iterations)
    if training:
      num = tf.cast(tf.shape(rate)[0], rate.dtype)
      rates, num = terms_lib.over_replicas([tf.reduce_sum(rate), num])
      objective.update(rates / num)
    return loss

  def fit(self, x=None, *args, **kwargs):
    """Trains on images, as `keras.Model.fit`."""
    # x [num, height, width, channels]
    self.check_all_images('x', x)
    validation = keras.utils.unpack_x_y_sample_weight(
      kwargs.get('validation_data')
    )
    self.check_all_images('validation_data', validation[0])
    return super().fit(x, *args, **kwargs)

  def evaluate(self, x=None, *args, **kwargs):
    """The objective of images, as `keras.Model.evaluate`."""
    # What `fit` hands on has been checked.
    if not kwargs.get('_use_cached_eval_dataset'):
      self.check_all_images('x', x)
    return super().evaluate(x, *args, **kwargs)

  def _check_images(self, name, image):
    checks.images(name, image, self._image_shape if self.built else None)

  def check_all_images(self, name: str, x: Any) -> None:
    """Checks what `fit` is given, as far as it can be looked at."""
    checks.many_images(name, x, self._image_shape if self.built else None)

  def save_own_variables(self, store):
    super().save_own_variables(store)
    for name, variable in self._state().items():
      store[_STATE + name] = variable

  def load_own_variables(self, store):
    keys = list(store.keys())
    own = {key: store[key] for key in keys if not key.startswith(_STATE)}
    super().load_own_variables(own)
    # Weights of a model with another objective are weights as well.
    for name, variable in self._state().items():
      if _STATE + name in keys:
        variable.assign(store[_STATE + name])

  def _state(self):
    """Variables that Keras would not save, as they are of no layer."""
    objective = {v.name: v for v in self.objective.variables}
    return {'noise': self._seeds.state} | objective

  def save_pretrained(
    self,
    directory: str | os.PathLike,
    *,
    about: Mapping[str, Any] | None = None,
    dtype: str = 'float32',
    keras_weights: bool = True,
    overwrite: bool = False,
  ) -> None:
    """Writes the folder that `vlae_tf.from_pretrained` reads."""
    folder.check_dtype(dtype)
    image_shape: Any = self.image_shape
    if None in image_shape:
      raise ValueError(
        '`model` must be built for images of one size to be shared, got '
        f'{image_shape}.'
      )
    config = None if self.config is None else _shareable(self.config)
    described = description.Description(
      vlae_tf_version=description.package_version(),
      image_shape=image_shape,
      code_shape=self.event_shape,
      num_weights=sum(math.prod(v.shape) for v in self.trainable_variables),
      config=config,
      parts=fields.words(self.config) if self.config else {},
      weights_dtype=dtype,
      about={} if about is None else about,
    )
    by_path = serialization.by_path(self.variables)
    folder.write(
      directory,
      described,
      {path: v.numpy() for path, v in by_path.items()},
      self.save_weights if keras_weights else None,
      overwrite,
    )


def _shareable(config):
  """Fields of a config, without the place of own images."""
  dataset = description.without_place(config.dataset)
  return dataclasses.asdict(config) | {'dataset': dataset}
