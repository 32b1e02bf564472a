"""A model whose likelihood and posterior are known in closed form."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.models import vlae

tfd = tfp.distributions


class LinearGaussian:
  """`z ~ N(0, I)`, `x ~ N(W z, s^2 I)` with an inexact Gaussian posterior."""

  image_shape = (3, 2, 1)

  def __init__(self, latent_size=2, noise=0.7, seed=0):
    rng = np.random.default_rng(seed)
    pixels = int(np.prod(self.image_shape))
    self.weight = rng.standard_normal((pixels, latent_size)).astype('float32')
    self.noise = noise
    exact = np.linalg.inv(
      np.eye(latent_size) + self.weight.T @ self.weight / noise**2
    )
    self.gain = (exact @ self.weight.T / noise**2).astype('float32')
    # Wider than the exact posterior: the bound is not tight.
    self.scale = 1.4 * np.sqrt(np.diag(exact)).astype('float32')

  def log_prob(self, images):
    """Exact log p(x) in closed form, shape `[num]`."""
    covariance = self.weight @ self.weight.T
    covariance += self.noise**2 * np.eye(len(self.weight))
    law = tfd.MultivariateNormalFullCovariance(
      tf.zeros(len(self.weight), tf.float64), tf.constant(covariance, 'float64')
    )
    flat = images.reshape(len(images), -1).astype('float64')
    return law.log_prob(flat).numpy()

  def sample(self, num, seed=1):
    """Images from the model itself."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((num, self.weight.shape[1]))
    x = z @ self.weight.T
    x += self.noise * rng.standard_normal(x.shape)
    return x.reshape(num, *self.image_shape).astype('float32')

  def model(self):
    """The `VLAE` of these three laws."""
    return vlae.VLAE(ToyPosterior(self), ToyPrior(self), ToyLikelihood(self))


class ToyPosterior(keras.layers.Layer):
  """`q(z|x)`, diagonal and too wide."""

  def __init__(self, toy):
    super().__init__()
    self._toy = toy
    self.event_shape = (toy.weight.shape[1],)

  def call(self, image):
    flat = tf.reshape(image, [-1, self._toy.weight.shape[0]])
    mean = flat @ self._toy.gain.T
    return tfd.MultivariateNormalDiag(
      mean, tf.broadcast_to(self._toy.scale, tf.shape(mean))
    )


class ToyPrior(keras.layers.Layer):
  """`p(z)`."""

  def __init__(self, toy):
    super().__init__()
    self._size = toy.weight.shape[1]

  def __call__(self):
    return tfd.MultivariateNormalDiag(tf.zeros(self._size))


class ToyLikelihood(keras.layers.Layer):
  """`p(x|z)`."""

  def __init__(self, toy):
    super().__init__()
    self._toy = toy

  def call(self, z):
    mean = tf.tensordot(z, self._toy.weight.T, 1)
    shape = tf.concat([tf.shape(z)[:-1], self._toy.image_shape], 0)
    return tfd.Independent(
      tfd.Normal(tf.reshape(mean, shape), self._toy.noise), 3
    )
