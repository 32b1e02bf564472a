"""Small networks of every kind, with weights that make dependence plain."""

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.nn.pixel import pixel_cnn, window_cnn

FEATURE_MAPS = 2

MAKERS = {
  'pixelcnn': lambda n=1: pixel_cnn.PixelCNN(n, 5, 4),
  'gated': lambda n=1: pixel_cnn.GatedPixelCNN(n, 4, 3),
  'gated_wide': lambda n=1: pixel_cnn.GatedPixelCNN(n, 4, 2, 5, 7),
  'window_1x1': lambda n=1: window_cnn.WindowCNN(n, (1, 1), 6, 2, tied=True),
  'downsampled': lambda n=1: window_cnn.DownsampledWindowCNN(
    n, (1, 1), 2, 6, 2
  ),
  'factorised': lambda n=1: window_cnn.PointwiseCNN(n, 6, 2),
}


def build_network(network, channels=1, seed=0, maps=FEATURE_MAPS):
  """Builds a network for any image size and gives it random weights."""
  build_untrained(network, channels, seed, maps)
  rng = np.random.default_rng(seed)
  for variable in network.variables:
    scale = 0.3 if variable.name == 'bias' else 1.0
    variable.assign(scale * rng.normal(size=variable.shape))
  return network


def build_untrained(network, channels=1, seed=0, maps=FEATURE_MAPS):
  """Builds a network for any image size, its weights the initial ones."""
  keras.utils.set_random_seed(seed)
  shape = (None, None, None)
  network.build((*shape, channels), (*shape, maps))
  return network


def make_network(name, channels=1, seed=0, maps=FEATURE_MAPS):
  """A built network of `MAKERS` for binary images."""
  return build_network(MAKERS[name](channels), channels, seed, maps)


def features(*shape, seed=0, maps=FEATURE_MAPS):
  """Random features `[..., height, width, maps]`."""
  return tf.random.stateless_normal([*shape, maps], [seed, 1])


def uniforms(*shape, seed=0):
  """Uniform noise of a shape."""
  return tf.random.stateless_uniform(shape, [seed, 2])


def at_wavefront(x, wavefront):
  """Values of images at the pixels of a wavefront, zeros outside.

  Args:
    x: `Tensor` of shape `[batch, height, width, k]`.
    wavefront: `nn.Wavefront`.

  Returns:
    A `Tensor` of shape `[rows * batch, k]`.
  """
  x = tf.transpose(x, [1, 2, 0, 3])
  pixels = tf.reshape(x, [-1, *x.shape[2:]])
  pixels = tf.pad(pixels, [[0, 1], [0, 0], [0, 0]])
  return tf.reshape(tf.gather(pixels, wavefront.pixel), [-1, x.shape[3]])


def seen_pairs(network, size):
  """Whether the parameters of pixel `[i, j]` change with pixel `[k, l]`.

  Args:
    network: Built network.
    size: `(height, width)`.

  Returns:
    A boolean array of shape `[height, width, height, width]`.
  """
  num = size[0] * size[1]
  # The same image for each pixel: one pass gives all gradients.
  shape = [1, *size, network.image_maps]
  image = tf.repeat(tf.random.stateless_normal(shape, [3, 4]), num, 0)
  given = features(1, *size, maps=network.feature_maps)
  with tf.GradientTape() as tape:
    tape.watch(image)
    params = network(image, tf.repeat(given, num, 0))
    # A random combination of a pixel's parameters depends on what any does.
    own = tf.linalg.diag_part(
      tf.transpose(tf.reshape(params, [num, num, -1]), [2, 0, 1])
    )
    loss = tf.reduce_sum(own * tf.random.stateless_normal(own.shape, [5, 6]))
  gradient = tape.gradient(loss, image)
  if gradient is None:
    return np.zeros([*size, *size], bool)
  return (gradient.numpy() != 0).any(-1).reshape(*size, *size)
