"""The Variational Lossy Autoencoder.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731
"""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)

from collections.abc import Sequence

import keras
import tensorflow as tf

from vlae_tf.distributions import reparameterized
from vlae_tf.models import fitting, objectives, parts
from vlae_tf.models import terms as terms_lib
from vlae_tf.models.terms import Objective, Terms
from vlae_tf.nn import weight_norm
from vlae_tf.utils import checks, serialization


@serialization.register
class VLAE(fitting.Fitting):
  """Three laws: `posterior(x)`, `prior()` and `likelihood(z)` [1].

  Each of them is a Keras layer that returns a `tfd.Distribution`. Calling the
  model gives the `Terms` of a batch of images. `compile(optimizer)` and
  `fit(images)` train on them.

  >>> from vlae_tf import distributions, models, nn
  >>> model = VLAE(
  ...   models.DiagonalGaussianPosterior(2, nn.Encoder((4,), 8)),
  ...   models.GaussianPrior(2),
  ...   models.AutoregressiveDecoder(
  ...     channels=1,
  ...     generator=nn.Generator((6, 6), 1, (4,), 8),
  ...     network=nn.PixelCNN(1, 4, 2),
  ...     pixel_law=distributions.BernoulliPixel(),
  ...   ),
  ... )
  >>> model.build((None, 6, 6, 1))
  >>> model(tf.zeros([3, 6, 6, 1])).elbo.shape
  TensorShape([3])
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
    """Creates the model.

    Args:
      posterior: `models.Posterior`: layer with `event_shape`, the shape of
        a code, from images `[batch, height, width, channels]` to `q(z|x)`,
        which `reparameterized.draw` must know.
      prior: `models.Prior`: layer without input that returns `p(z)`.
      likelihood: `models.Likelihood`: layer from codes `[...,
        *event_shape]` to `p(x|z)`.
      objective: What training minimises; the negative ELBO by default.
      seed: Seed of the latent noise where a call is given none.
      name: Name of the model.
      **kwargs: Arguments of `keras.Model`.

    Raises:
      ValueError: A part is not what a model can use, or prior and posterior
        are of different codes.
    """
    super().__init__(seed=seed, name=name, **kwargs)
    parts.check_posterior(posterior)
    parts.check_prior(prior, posterior.event_shape)
    parts.check_likelihood(likelihood)
    if objective is None:
      objective = objectives.NegativeELBO()
    if not isinstance(objective, Objective):
      raise ValueError(
        '`objective` must have all that `models.Objective` has, as '
        f'`models.NegativeELBO` has it, got {objective!r}.'
      )
    self.posterior = posterior
    self.prior = prior
    self.likelihood = likelihood
    self.objective = objective

  @property
  def event_shape(self) -> tuple[int, ...]:
    """Shape of a code, and of the noise that it is made of."""
    return tuple(self.posterior.event_shape)

  def with_parts(
    self,
    *,
    posterior: keras.layers.Layer | None = None,
    prior: keras.layers.Layer | None = None,
    likelihood: keras.layers.Layer | None = None,
    objective: Objective | None = None,
  ) -> 'VLAE':
    """A model with some parts replaced, which shares the others' variables.

    >>> from vlae_tf import build_model, Config, models
    >>> model = build_model(Config(latent_size=5), (8, 8, 1))
    >>> other = model.with_parts(prior=models.GaussianPrior(5))
    >>> other.posterior is model.posterior
    True

    Args:
      posterior: As in the constructor; that of this model by default.
      prior: As `posterior`.
      likelihood: As `posterior`.
      objective: As `posterior`.

    Returns:
      A `VLAE`, built if this one is, not compiled.

    Raises:
      ValueError: The parts do not fit each other.
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
    if len(input_shape) != 4:
      raise ValueError(
        '`input_shape` must be (batch, height, width, channels), got '
        f'{tuple(input_shape)}.'
      )
    self._image_shape = tuple(input_shape[1:])
    own = getattr(self.likelihood, 'image_shape', self._image_shape)
    if not tf.TensorShape(own).is_compatible_with(self._image_shape):
      raise ValueError(
        '`input_shape` must be that of the images of `likelihood`, '
        f'{tuple(own)}, got {self._image_shape}.'
      )
    _build(self.posterior, (None, *self._image_shape))
    _build(self.prior, None)
    _build(self.likelihood, (None, *self.event_shape))

  def __call__(self, image, noise=None, **kwargs):
    self._check_images('image', image)
    if noise is not None:
      checks.shaped('noise', noise, (image.shape[0], *self.event_shape))
    return super().__call__(image, noise, **kwargs)

  def call(self, image, noise=None):
    """Terms of the bound, from one draw of the code for each image.

    Args:
      image: `Tensor` of shape `[batch, height, width, channels]`.
      noise: Standard normal `Tensor` of shape `[batch, *event_shape]` that the
        code is made of; drawn afresh by default.

    Returns:
      `Terms`.
    """
    if noise is None:
      return self.draw_terms(image)
    return self._terms_of(image, noise)

  def draw_terms(self, image, num_samples: Sequence[int] = ()) -> Terms:
    """Terms of the bound, from fresh draws of the code for each image.

    Args:
      image: As in `call`.
      num_samples: Shape of the draws of each image.

    Returns:
      `Terms` of shape `[*num_samples, batch]`.
    """
    total, rows = terms_lib.rows_of_replica(tf.shape(image)[0])
    shape = tf.concat([[total], [*num_samples, *self.event_shape]], 0)
    noise = rows(keras.random.normal(shape, seed=self._seeds))
    if num_samples:
      axes = range(len(noise.shape))
      images = len(num_samples)
      noise = tf.transpose(
        noise, [*axes[1 : images + 1], 0, *axes[images + 1 :]]
      )
    return self._terms_of(image, noise)

  def _terms_of(self, image, noise):
    code = reparameterized.draw(self.posterior(image), noise)
    return self.terms(code, image)

  def terms(self, code: reparameterized.Draw, image: tf.Tensor) -> Terms:
    """Terms of the bound for given codes.

    Args:
      code: `Draw` of `q(z|x)` of the images, with values of shape `[..., batch,
        *event_shape]`.
      image: As in `call`.

    Returns:
      `Terms` of shape `[..., batch]`.

    Raises:
      ValueError: Codes or images are not of the model's shapes.
    """
    self._check_images('image', image)
    shape = (image.shape[0], *self.event_shape)
    checks.ends_in('code.value', code.value, shape)
    likelihood, prior = self.likelihood(code.value), self.prior()
    parts.check_law('likelihood', likelihood)
    parts.check_law('prior', prior)
    return Terms(
      distortion=-likelihood.log_prob(image),
      rate=code.log_prob - prior.log_prob(code.value),
    )

  def initialize(
    self, image: tf.Tensor, noise: tf.Tensor | None = None
  ) -> None:
    """Sets gains and biases from a batch, once, before training.

    Args:
      image: As in `call`, an eager `Tensor`.
      noise: As in `call`.

    Raises:
      ValueError: The images are not of the model's shape, not in [0, 1], or
        the noise is not of the codes' shape.
    """
    self._check_images('image', image)
    checks.unit_interval('image', image)
    if not self.built:
      self.build(image.shape)
    with weight_norm.data_dependent_initialization():
      self(image, noise)


def _build(part, input_shape):
  """Builds a part that has no variables yet."""
  if not getattr(part, 'built', False):
    part.build(input_shape)
