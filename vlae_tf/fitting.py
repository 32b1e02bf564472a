"""How Keras trains and scores a model of three laws, on one device or many."""

from typing import Any

import keras
import tensorflow as tf

from vlae_tf.components import terms as terms_lib


class Fitting(keras.Model):
  """A Keras model whose `fit` minimises the objective of its `Terms`.

  A sub-class has `objective`, `draw_terms` and `check_all_images`.
  """

  objective: terms_lib.Objective

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self._means = [
      keras.metrics.Mean(name='distortion_nats'),
      keras.metrics.Mean(name='rate_nats'),
    ]

  def draw_terms(self, image: tf.Tensor, num_samples=()) -> terms_lib.Terms:
    """Terms of the bound, from fresh draws of the code for each image."""
    raise NotImplementedError

  def check_all_images(self, name: str, x: Any) -> None:
    """Checks what `fit` is given, as far as it can be looked at."""
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
    """Trains on images, as `keras.Model.fit`.

    Args:
      x: Float array of shape `[num, height, width, channels]` in [0, 1], a
        `tf.data.Dataset` of batches of them, or another input of Keras.
      *args: As in Keras.
      **kwargs: As in Keras.

    Returns:
      The `History` of Keras.

    Raises:
      ValueError: The images (of a data set, its first batch) are not of the
        model's shape, or not in [0, 1].
    """
    self.check_all_images('x', x)
    validation = keras.utils.unpack_x_y_sample_weight(
      kwargs.get('validation_data')
    )
    self.check_all_images('validation_data', validation[0])
    return super().fit(x, *args, **kwargs)

  def evaluate(self, x=None, *args, **kwargs):
    """The objective of images, as `keras.Model.evaluate`.

    Args:
      x: As in `fit`.
      *args: As in Keras.
      **kwargs: As in Keras.

    Returns:
      As in Keras: the loss, and the means of distortion and rate, in nats.

    Raises:
      ValueError: As in `fit`.
    """
    # What `fit` hands on has been checked.
    if not kwargs.get('_use_cached_eval_dataset'):
      self.check_all_images('x', x)
    return super().evaluate(x, *args, **kwargs)
