"""The Variational Lossy Autoencoder.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731
"""

from vlae_tf.system import keras_backend  # noqa: F401  # isort: skip (checks)

import keras
import tensorflow as tf

from vlae_tf.components import objectives
from vlae_tf.components.terms import Objective, Terms
from vlae_tf.distributions import reparameterized
from vlae_tf.nn import weight_norm
from vlae_tf.system import serialization

_STATE = 'state_'  # Begins the keys of these in a saved model.


@serialization.register
class VLAE(keras.Model):
  """Three laws: `posterior(x)`, `prior()` and `likelihood(z)` [1].

  Each of them is a Keras layer that returns a `tfd.Distribution`. Calling the
  model gives the `Terms` of a batch of images. `compile(optimizer)` and
  `fit(images)` train on them.

  >>> from vlae_tf import components, distributions, nn
  >>> model = VLAE(
  ...   components.DiagonalGaussianPosterior(2, nn.Encoder((4,), 8)),
  ...   components.GaussianPrior(2),
  ...   components.AutoregressiveDecoder(
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
      posterior: Layer with `event_shape`, the shape of a code, from images
        `[batch, height, width, channels]` to `q(z|x)`, which
        `reparameterized.draw` must know.
      prior: Layer without input that returns `p(z)`.
      likelihood: Layer from codes `[..., *event_shape]` to `p(x|z)`.
      objective: What training minimises; the negative ELBO by default.
      seed: Seed of the latent noise where a call is given none.
      name: Name of the model.
      **kwargs: Arguments of `keras.Model`.

    Raises:
      ValueError: The posterior does not say the shape of a code, or the
        objective lacks something.
    """
    super().__init__(name=name, **kwargs)
    if not hasattr(posterior, 'event_shape'):
      raise ValueError(
        '`posterior` must have `event_shape`, the shape of a code, got '
        f'{posterior!r} without it.'
      )
    if objective is None:
      objective = objectives.NegativeELBO()
    if not isinstance(objective, Objective):
      raise ValueError(
        '`objective` must have all that `components.Objective` has, got '
        f'{objective!r}.'
      )
    self.posterior = posterior
    self.prior = prior
    self.likelihood = likelihood
    self.objective = objective
    self._seeds = keras.random.SeedGenerator(seed, name='noise')
    self._means = [
      keras.metrics.Mean(name='distortion_nats'),
      keras.metrics.Mean(name='rate_nats'),
    ]

  @property
  def event_shape(self) -> tuple[int, ...]:
    """Shape of a code, and of the noise that it is made of."""
    return tuple(self.posterior.event_shape)

  def build(self, input_shape):
    self.posterior.build(input_shape)
    self.prior.build()
    self.likelihood.build((None, *self.event_shape))

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
      shape = tf.concat([tf.shape(image)[:1], self.event_shape], 0)
      noise = keras.random.normal(shape, seed=self._seeds)
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
    """
    return Terms(
      distortion=-self.likelihood(code.value).log_prob(image),
      rate=code.log_prob - self.prior().log_prob(code.value),
    )

  def initialize(
    self, image: tf.Tensor, noise: tf.Tensor | None = None
  ) -> None:
    """Sets gains and biases from a batch, once, before training.

    Args:
      image: As in `call`, an eager `Tensor`.
      noise: As in `call`.
    """
    if not self.built:
      self.build(image.shape)
    with weight_norm.data_dependent_initialization():
      self(image, noise)

  def compute_loss(
    self, x=None, y=None, y_pred=None, sample_weight=None, training=True
  ):
    """What `fit` minimises: the objective of a batch's `Terms`."""
    del x, y, sample_weight, training
    for metric, term in zip(self._means, y_pred):
      metric.update_state(term)
    return self.objective.loss(y_pred, self.optimizer.iterations)

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
