"""The Variational Lossy Autoencoder.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731.
"""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from vlae_tf.distributions import pixel_distributions, reparameterized
from vlae_tf.formats import description, folder
from vlae_tf.models import config as config_lib
from vlae_tf.models import objectives, parts
from vlae_tf.models.objectives import Objective, Terms
from vlae_tf.nn import weight_norm
from vlae_tf.utils import checks, devices, fields, random, serialization

_PARTS = ('posterior', 'prior', 'likelihood', 'objective')
_STATE = 'state_'  # Prefix of the keys of `VLAE._state` in a saved model.


@serialization.register
class VLAE(keras.Model):
  """Three distributions: `posterior(x)`, `prior()` and `likelihood(z)` [1].

  Each of them is a Keras layer that returns a `tfd.Distribution`, see
  `models.Posterior`, `models.Prior` and `models.Likelihood`. Calling the model
  gives the `Terms` of a batch of images. `compile(optimizer)` and `fit(images)`
  minimise its objective, by default the negative ELBO. `seed` is that of the
  latent noise of calls without `noise`.

  >>> from vlae_tf import distributions, models, nn
  >>> model = VLAE(
  ...   models.DiagonalGaussianPosterior(2, nn.Encoder((4,), 8)),
  ...   models.GaussianPrior(2),
  ...   models.AutoregressiveDecoder(
  ...     channels=1,
  ...     generator=nn.Generator((6, 6), 1, (4,), 8),
  ...     network=nn.PixelCNN(1, 4, 2),
  ...     pixel_distribution=distributions.BernoulliPixel(),
  ...   ),
  ... )
  >>> model.build((None, 6, 6, 1))
  >>> model(tf.zeros([3, 6, 6, 1])).elbo.shape
  TensorShape([3])

  It raises `ValueError` if a component lacks what a model needs, or if prior
  and posterior are distributions of different latents.
  """

  def __init__(
    self,
    posterior: keras.layers.Layer,
    prior: keras.layers.Layer,
    likelihood: keras.layers.Layer,
    objective: Objective | None = None,
    seed: int = 0,
    name: str = 'vlae',
    **kwargs,
  ):
    # Likelihoods are computed in float32 on all devices.
    devices.configure()
    super().__init__(name=name, **kwargs)
    # The argument of `build_model`; `None` for a model of other components.
    self.config: config_lib.Config | None = None
    self._seed = checks.integer('seed', seed, 0, random.MAX_SEED)
    self._seeds = keras.random.SeedGenerator(self._seed, name='noise')
    self._means = [
      keras.metrics.Mean(name=name) for name in ('distortion_nats', 'rate_nats')
    ]
    parts.check(posterior, prior, likelihood)
    # Copies in float64 alone give a `dtype`.
    precisions = ('float32', 'float64')[: 1 + ('dtype' in kwargs)]
    for part in (self, posterior, prior, likelihood):
      parts.check_precision(part, precisions)
    if objective is None:
      objective = objectives.NegativeELBO()
    if not isinstance(objective, Objective):
      raise ValueError(
        '`objective` must have all attributes of `models.Objective`, like '
        f'`models.NegativeELBO`, got {objective!r}.'
      )
    self.posterior, self.prior = posterior, prior
    self.likelihood, self.objective = likelihood, objective

  def __setattr__(self, name, value):
    changed = name in _PARTS and getattr(self, name, None) is not value
    if changed and getattr(self, 'built', False):
      raise ValueError(
        f'`{name}` of a built model cannot be replaced, got {value!r} for '
        f'{getattr(self, name)!r}: `model.with_parts({name}=...)` makes '
        'another model.'
      )
    super().__setattr__(name, value)

  @property
  def event_shape(self) -> tuple[int, ...]:
    """Shape of a latent, and of the noise from which it is drawn."""
    return tuple(self.posterior.event_shape)

  @property
  def image_shape(self) -> tuple[int | None, ...]:
    """`(height, width, channels)` of the images that it was built for."""
    if not self.built:
      raise ValueError(
        '`model` must be built, `model.build((None, height, width, channels))`'
        f', got {self.name!r} without variables.'
      )
    return self._image_shape

  def with_parts(
    self,
    *,
    posterior: keras.layers.Layer | None = None,
    prior: keras.layers.Layer | None = None,
    likelihood: keras.layers.Layer | None = None,
    objective: Objective | None = None,
  ) -> 'VLAE':
    """A model with some components replaced, which shares the other variables.

    >>> from vlae_tf import build_model, Config, models
    >>> model = build_model(Config(latent_size=5), (8, 8, 1))
    >>> other = model.with_parts(prior=models.GaussianPrior(5))
    >>> other.posterior is model.posterior
    True

    It is built if this one is, and not compiled. Components that do not fit
    each other raise `ValueError`.
    """
    other = VLAE(
      self.posterior if posterior is None else posterior,
      self.prior if prior is None else prior,
      self.likelihood if likelihood is None else likelihood,
      self.objective if objective is None else objective,
      seed=self._seed,
      name=self.name,
    )
    if self.built:
      other.build((None, *self.image_shape))
    return other

  def build(self, input_shape):
    given, needs = tuple(input_shape), '(batch, height, width, channels)'
    fields.check('input_shape', given, len(given) == 4, needs)
    self._image_shape = given[1:]
    own = getattr(self.likelihood, 'image_shape', self._image_shape)
    if not tf.TensorShape(own).is_compatible_with(self._image_shape):
      raise ValueError(
        '`input_shape` must be that of the images of `likelihood`, '
        f'{tuple(own)}, got {self._image_shape}.'
      )
    for part, shape in [
      (self.posterior, (None, *self._image_shape)),
      (self.prior, None),
      (self.likelihood, (None, *self.event_shape)),
    ]:
      if not getattr(part, 'built', False):
        part.build(shape)

  def __call__(self, image, noise=None, **kwargs):
    self._check_images('image', image)
    if noise is not None:
      checks.shaped('noise', noise, (image.shape[0], *self.event_shape))
    return super().__call__(image, noise, **kwargs)

  def call(self, image, noise=None):
    """Terms of the bound, from one sample of the latent per image.

    Images `[batch, height, width, channels]`; the latent is drawn from standard
    normal `noise`, `[batch, *event_shape]`, fresh by default.
    """
    if noise is None:
      return self.draw_terms(image)
    return self._terms_of(image, noise)

  def draw_terms(self, image, num_samples: Sequence[int] = ()) -> Terms:
    """`Terms`, `[*num_samples, batch]`, from fresh samples of the latent."""
    total, rows = objectives.rows_of_replica(tf.shape(image)[0])
    shape = tf.concat([[total], [*num_samples, *self.event_shape]], 0)
    dtype = self.compute_dtype  # Not that of `keras.config.floatx`.
    noise = rows(keras.random.normal(shape, dtype=dtype, seed=self._seeds))
    if num_samples:
      # The batch behind the samples.
      axes, k = list(range(len(noise.shape))), len(num_samples)
      noise = tf.transpose(noise, [*axes[1 : k + 1], 0, *axes[k + 1 :]])
    return self._terms_of(image, noise)

  def _terms_of(self, image, noise):
    code = reparameterized.draw(self.posterior(image), noise)
    return self.terms(code, image)

  def terms(self, code: reparameterized.Draw, image: tf.Tensor) -> Terms:
    """Terms of the bound, shape `[..., batch]`, for given latents.

    `code` is a draw from `q(z|x)` of the images, with values of shape `[...,
    batch, *event_shape]`. Wrong shapes raise `ValueError`.
    """
    self._check_images('image', image)
    shape = (image.shape[0], *self.event_shape)
    checks.ends_in('code.value', code.value, shape)
    likelihood, prior = self.likelihood(code.value), self.prior()
    for name, part in (('likelihood', likelihood), ('prior', prior)):
      if not hasattr(part, 'log_prob'):
        raise ValueError(
          f'`{name}` must return a `tfd.Distribution`, got '
          f'{type(part).__name__}.'
        )
    return Terms(
      distortion=-likelihood.log_prob(image),
      rate=code.log_prob - prior.log_prob(code.value),
    )

  def initialize(
    self, image: tf.Tensor, noise: tf.Tensor | None = None
  ) -> None:
    """Sets gains and biases from a batch, once, before training.

    Images, in [0, 1], and noise are as in `call`, but eager.
    """
    checks.unit_interval('image', image)
    self._check_images('image', image)
    if not self.built:
      self.build(image.shape)
    with weight_norm.data_dependent_initialization():
      self(image, noise)

  def compute_loss(
    self, x=None, y=None, y_pred=None, sample_weight=None, training=True
  ):
    """This replica's share of the objective, for `fit` and `evaluate`."""
    del y
    if sample_weight is not None:
      raise ValueError('`sample_weight` must be None: images weigh the same.')
    objective = self.objective
    if objective.num_samples > 1:
      # Keras has called the model, which draws one latent per image.
      y_pred = self.draw_terms(x, (objective.num_samples,))
    distortion, rate = objective.parts(y_pred)
    for metric, term in zip(self._means, (distortion, rate)):
      metric.update_state(term)
    loss = objective.loss(y_pred, self.optimizer.iterations)
    if training:
      num = tf.cast(tf.shape(rate)[0], rate.dtype)
      rates, num = objectives.over_replicas([tf.reduce_sum(rate), num])
      objective.update(rates / num)
    return loss

  def fit(self, x=None, *args, **kwargs):
    """Trains on images `[num, height, width, channels]`, as `Model.fit`.

    Binary ones, of a Bernoulli model: grey images are Bernoulli means, of which
    `data.fixed_binarization` draws binary images.
    """
    self._check_all_images('x', x)
    if (validation := kwargs.get('validation_data')) is not None:
      images = keras.utils.unpack_x_y_sample_weight(validation)[0]
      self._check_all_images('validation_data', images)
    return super().fit(x, *args, **kwargs)

  def evaluate(self, x=None, *args, **kwargs):
    """The objective of images, as `keras.Model.evaluate`."""
    # `fit` has checked its validation data, which it passes in this form.
    if not kwargs.get('_use_cached_eval_dataset'):
      self._check_all_images('x', x)
    return super().evaluate(x, *args, **kwargs)

  def train_on_batch(self, x, *args, **kwargs):
    """A step on images, as `keras.Model.train_on_batch`."""
    self._check_all_images('x', x)
    return super().train_on_batch(x, *args, **kwargs)

  def test_on_batch(self, x, *args, **kwargs):
    """The objective of a batch, as `keras.Model.test_on_batch`."""
    self._check_all_images('x', x)
    return super().test_on_batch(x, *args, **kwargs)

  def predict(self, x, *args, **kwargs):
    """`Terms` of images, as `keras.Model.predict`."""
    self._check_all_images('x', x)
    return super().predict(x, *args, **kwargs)

  def _check_images(self, name, image):
    checks.images(name, image, self._image_shape if self.built else None)
    pixel_distributions.check_support(name, self.likelihood, image)

  def _check_all_images(self, name, x):
    shape = self._image_shape if self.built else None
    checks.many_images(name, x, shape, self._check_values)

  def _check_values(self, name, x):
    checks.unit_interval(name, x)
    pixel_distributions.check_support(name, self.likelihood, x)

  def get_config(self):
    fields = dataclasses.asdict(self.config) if self.config else None
    return serialization.get_config(self) | {'config': fields}

  @classmethod
  def from_config(cls, config):
    arguments = dict(config)
    fields = arguments.pop('config', None)
    model = serialization.from_config(cls, arguments)
    if fields is not None:
      model.config = config_lib.Config(**config_lib.renamed(fields))
    return model

  def save_own_variables(self, store):
    super().save_own_variables(store)
    for name, variable in self._state().items():
      store[_STATE + name] = variable

  def load_own_variables(self, store):
    keys = list(store.keys())
    own = {key: store[key] for key in keys if not key.startswith(_STATE)}
    super().load_own_variables(own)
    # Files of a model with another objective have no state of this one.
    for name, variable in self._state().items():
      if _STATE + name in keys:
        variable.assign(store[_STATE + name])

  def _state(self):
    """Variables that Keras would not save, as they belong to no layer."""
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
    """Writes the folder that `vlae_tf.from_pretrained` reads.

    `about` has facts for the model card, `dtype` is that of the stored weights,
    'float32' or 'float16', and `keras_weights` adds a `.weights.h5`. A model
    that is not built for images of one size, or a folder that exists (unless
    `overwrite`), raises `ValueError`.
    """
    folder.check_dtype(dtype)
    image_shape: Any = self.image_shape
    if None in image_shape:
      raise ValueError(
        '`model` must be built for images of one size to be shared, got '
        f'{image_shape}.'
      )
    config = None
    if self.config is not None:
      dataset = description.without_place(self.config.dataset)
      config = dataclasses.asdict(self.config) | {'dataset': dataset}
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
