"""Images whose pixels depend on the pixels before them.

#### References

[1]: Aaron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu. Pixel Recurrent
     Neural Networks. In _International Conference on Machine Learning_, 2016.
     https://arxiv.org/abs/1601.06759
"""

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class AutoregressiveImage(tfd.Distribution):
  """`p(x|h) = prod{ p(x[i] | x[0:i], h) : i in raster order }` [1].

  The law owns no network: it is handed one, and features `h` to condition on.
  Batch shape: the features' leading axes. Event shape: `[height, width,
  channels]`. Log-probabilities are in nats.
  """

  def __init__(
    self,
    network,
    features,
    channels,
    pixel_law,
    validate_args=False,
    allow_nan_stats=True,
    name='AutoregressiveImage',
  ):
    """Creates the law.

    Args:
      network: Callable of images `[n, height, width, channels]` and of features
        `[n, height, width, maps]` that returns parameters `[n, height, width,
        num_params]`, those of a pixel from the pixels before it alone.
      features: `Tensor` of shape `[..., height, width, maps]`.
      channels: Number of channels of a pixel.
      pixel_law: Law of a pixel given its parameters, see `pixel_laws`.
      validate_args: As in `tfd.Distribution`.
      allow_nan_stats: As in `tfd.Distribution`.
      name: Name of operations.
    """
    parameters = dict(locals())
    with tf.name_scope(name) as name:
      self._network = network
      self._features = tf.convert_to_tensor(features)
      self._channels = channels
      self._pixel_law = pixel_law
      super().__init__(
        dtype=self._features.dtype,
        reparameterization_type=tfd.NOT_REPARAMETERIZED,
        validate_args=validate_args,
        allow_nan_stats=allow_nan_stats,
        parameters=parameters,
        name=name,
      )

  @classmethod
  def _parameter_properties(cls, dtype, num_classes=None):
    return dict(
      features=tfp.util.ParameterProperties(event_ndims=3),
    )

  def _batch_shape(self):
    return self._features.shape[:-3]

  def _batch_shape_tensor(self):
    return tf.shape(self._features)[:-3]

  def _event_shape(self):
    return self._features.shape[-3:-1].concatenate(self._channels)

  def _event_shape_tensor(self):
    return tf.concat([tf.shape(self._features)[-3:-1], [self._channels]], 0)

  def params(self, image):
    """Parameters of every pixel's conditional law, by one parallel pass.

    Args:
      image: `Tensor` of shape `[..., height, width, channels]`.

    Returns:
      A `Tensor` of shape `[..., height, width, num_params]`.
    """
    image = tf.convert_to_tensor(image, self.dtype)
    batch = tf.broadcast_dynamic_shape(
      tf.shape(image)[:-3], tf.shape(self._features)[:-3]
    )
    params = self._network(
      _flat_batch(image, batch), _flat_batch(self._features, batch)
    )
    static = tf.broadcast_static_shape(
      image.shape[:-3], self._features.shape[:-3]
    )
    params_shape = params.shape[1:]
    params = tf.reshape(params, tf.concat([batch, params_shape], 0))
    return tf.ensure_shape(params, static.concatenate(params_shape))

  def conditionals(self, image):
    """The laws of the pixels given those before them.

    Args:
      image: `Tensor` of shape `[..., height, width, channels]`.

    Returns:
      A `tfd.Distribution` of batch shape `[..., height, width]` and event shape
      `[channels]`.
    """
    return self._pixel_law.distribution(self.params(image))

  def _log_prob(self, image):
    image = tf.convert_to_tensor(image, self.dtype)
    return tf.reduce_sum(self.conditionals(image).log_prob(image), [-2, -1])

  def _sample_n(self, n, seed=None):
    shape = tf.concat([[n], self._batch_shape_tensor()], 0)
    shape = tf.concat([shape, self._event_shape_tensor()], 0)
    seed = tfp.random.sanitize_seed(seed, salt='autoregressive_image')
    uniforms = tf.random.stateless_uniform(shape, seed, dtype=self.dtype)
    return self.sample_from_uniforms(uniforms)

  def sample_from_uniforms(self, uniforms):
    """Turns uniform noise into images, one pixel after the other.

    Args:
      uniforms: `Tensor` in [0, 1), shape `[..., height, width, channels]`.

    Returns:
      Images of the same shape.
    """
    batch = tf.shape(uniforms)[:-3]
    images = _sample_naively(
      self._network,
      self._pixel_law,
      _flat_batch(self._features, batch),
      tf.reshape(uniforms, tf.concat([[-1], tf.shape(uniforms)[-3:]], 0)),
    )
    return tf.reshape(images, tf.shape(uniforms))


def _flat_batch(x, batch):
  """Broadcasts `x` to batch shape `batch`, and makes that one axis."""
  event = x.shape[-3:]
  x = tf.broadcast_to(x, tf.concat([batch, tf.shape(x)[-3:]], 0))
  return tf.ensure_shape(
    tf.reshape(x, tf.concat([[-1], tf.shape(x)[-3:]], 0)),
    tf.TensorShape([None]).concatenate(event),
  )


def _sample_naively(network, pixel_law, features, uniforms):
  """A full pass of the network for every pixel."""
  height, width, channels = uniforms.shape[1:]

  def step(i, image):
    drawn = pixel_law.quantile(network(image, features), uniforms)
    here = tf.one_hot(i, height * width, dtype=image.dtype)
    here = tf.reshape(here, [1, height, width, 1])
    return i + 1, image + here * drawn

  _, image = tf.while_loop(
    lambda i, _: i < height * width,
    step,
    (tf.constant(0), tf.zeros_like(uniforms)),
  )
  return tf.ensure_shape(image, [None, height, width, channels])
