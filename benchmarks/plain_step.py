"""The yardstick of `train_step.py`: the same step as one would first write it.

`python benchmarks/plain_step.py --batch=100 --rounds=3` prints JSON with
`images_per_s` of the median round and the number of `weights`, which is that of
the package's model. Written with Keras layers, `tf.GradientTape` and Keras's
Adamax, apart from the package: no averages, clipping, guards or floors, noise
drawn as it comes, images that are in memory.
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import keras
import numpy as np
import tensorflow as tf

LATENT, UNITS, WIDTHS, MAPS = 64, 450, (16, 32, 32), 4
STEPS_A_ROUND = 20


class Normalized(keras.layers.Layer):
  """A product or convolution with kernel `g v / |v|`, perhaps masked."""

  def __init__(self, shape, outputs_axis=-1, mask=None, **options):
    super().__init__()
    self._axis, self._mask, self._options = outputs_axis, mask, options
    axes = [i for i in range(len(shape)) if i != outputs_axis % len(shape)]
    self._axes, outputs = axes, shape[outputs_axis]
    self.v = self.add_weight(shape=shape, initializer='glorot_normal')
    self.g = self.add_weight(shape=(outputs,), initializer='ones')
    self.b = self.add_weight(shape=(outputs,), initializer='zeros')

  def kernel(self):
    v = self.v if self._mask is None else self.v * self._mask
    scale = self.g
    if self._axis == -2:  # Of a transposed convolution.
      scale = scale[:, None]
    return (
      scale
      * v
      * tf.math.rsqrt(tf.reduce_sum(v * v, self._axes, keepdims=True) + 1e-9)
    )

  def call(self, x):
    kernel = self.kernel()
    if len(kernel.shape) == 2:
      return x @ kernel + self.b
    stride, size = self._options.get('stride', 1), self._options.get('size')
    if size is None:
      return tf.nn.conv2d(x, kernel, stride, 'SAME') + self.b
    out = [tf.shape(x)[0], size, size, kernel.shape[-2]]
    return tf.nn.conv2d_transpose(x, kernel, out, stride) + self.b


def dense(inputs, outputs, mask=None):
  return Normalized((inputs, outputs), mask=mask)


def conv(inputs, outputs, side=3, mask=None, stride=1):
  return Normalized((side, side, inputs, outputs), mask=mask, stride=stride)


def grow(inputs, outputs, size):
  return Normalized((3, 3, outputs, inputs), -2, stride=2, size=size)


class Block(keras.layers.Layer):
  """Two convolutions beside a shortcut."""

  def __init__(self, inputs, outputs, size=None, stride=1):
    super().__init__()
    make = grow if size else conv
    extra = dict(size=size) if size else dict(stride=stride)
    self.first = make(inputs, outputs, **extra)
    self.second = conv(outputs, outputs)
    resized = size or stride > 1 or inputs != outputs
    self.shortcut = make(inputs, outputs, **extra) if resized else None

  def call(self, x):
    branch = self.second(tf.nn.elu(self.first(tf.nn.elu(x))))
    return (self.shortcut(x) if self.shortcut else x) + 0.1 * branch


def before(side, inputs, with_center):
  """Mask of the image's maps of a kernel; those of the code are all seen."""
  mask = np.ones((side, side, inputs, 1), np.float32)
  mask.reshape(side * side, inputs, 1)[side * side // 2 + with_center :] = 0
  return mask


class Decoder(keras.layers.Layer):
  """Six masked convolutions with pointwise blocks between them."""

  def __init__(self, units=12):
    super().__init__()
    code_mask = np.ones((3, 3, MAPS, 1), np.float32)
    first_mask = np.concatenate([before(3, 1, False), code_mask], 2)
    self.first = conv(1 + MAPS, units, mask=first_mask)
    mask = before(3, units, True)
    self.masked = [conv(units, units, mask=mask) for _ in range(5)]
    self.pointwise = [conv(units, units, 1) for _ in range(8)]
    self.last = conv(units, 1, 1)

  def call(self, image, features):
    h = self.first(tf.concat([image, features], -1))
    for i, masked in enumerate(self.masked):
      h += masked(tf.nn.elu(h))
      if i < 4:
        inner, outer = self.pointwise[2 * i : 2 * i + 2]
        h += outer(tf.nn.elu(inner(tf.nn.elu(h))))
    return self.last(tf.nn.elu(h))


class Flow(keras.layers.Layer):
  """Four mean-only MADEs with reversals between them, from code to noise."""

  def __init__(self, hidden=640):
    super().__init__()
    places = np.arange(LATENT)
    degrees = np.sort(np.arange(hidden) % (LATENT - 1))
    masks = [
      places[:, None] <= degrees,
      degrees[:, None] <= degrees,
      degrees[:, None] < places,
    ]
    sizes = [LATENT, hidden, hidden, LATENT]
    self.nets = [
      [
        dense(a, b, mask.astype(np.float32))
        for a, b, mask in zip(sizes, sizes[1:], masks)
      ]
      for _ in range(4)
    ]

  def call(self, z):
    for i, (first, second, last) in enumerate(self.nets):
      z = z if i == 0 else z[:, ::-1]
      z -= last(tf.nn.relu(second(tf.nn.relu(first(z)))))
    return z


class PlainVLAE(keras.Model):
  """The model, as the sum of its parts."""

  def __init__(self):
    super().__init__()
    self.down, inputs = [], 1
    for width in WIDTHS:
      self.down += [Block(inputs, width, stride=2), Block(width, width)]
      inputs = width
    self.to_units = dense(16 * inputs, UNITS)
    self.mean, self.log_scale = dense(UNITS, LATENT), dense(UNITS, LATENT)
    self.from_code, self.to_maps = dense(LATENT, UNITS), dense(UNITS, 16 * 32)
    self.up = []
    for width, output, size in zip(WIDTHS[::-1], (32, 16, 16), (7, 14, 28)):
      self.up += [Block(width, width), Block(width, output, size)]
    self.to_features = conv(16, MAPS)
    self.flow, self.decoder = Flow(), Decoder()

  def call(self, image):
    h = image - 0.5
    for block in self.down:
      h = block(h)
    h = tf.nn.elu(self.to_units(tf.reshape(tf.nn.elu(h), [-1, 16 * 32])))
    mean = self.mean(h)
    log_scale = 8 * tf.tanh(self.log_scale(h) / 8)
    noise = tf.random.normal(tf.shape(mean))
    z = mean + tf.exp(log_scale) * noise
    eps = self.flow(z)
    rate = tf.reduce_sum((eps**2 - noise**2) / 2 - log_scale, -1)
    h = tf.nn.elu(self.to_maps(tf.nn.elu(self.from_code(z))))
    h = tf.reshape(h, [-1, 4, 4, 32])
    for block in self.up:
      h = block(h)
    logits = self.decoder(image, self.to_features(tf.nn.elu(h)))
    bits = tf.nn.sigmoid_cross_entropy_with_logits(labels=image, logits=logits)
    return tf.reduce_mean(tf.reduce_sum(bits, [1, 2, 3]) + rate)


def training_step(model, optimizer):
  @tf.function
  def step(image):
    with tf.GradientTape() as tape:
      loss = model(image)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return loss

  return step


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--batch', type=int, default=100)
  parser.add_argument('--rounds', type=int, default=3)
  args = parser.parse_args()
  keras.utils.set_random_seed(0)
  model, optimizer = PlainVLAE(), keras.optimizers.Adamax(0.002)
  rng = np.random.default_rng(0)
  images = tf.constant(rng.random((args.batch, 28, 28, 1)) < 0.2, tf.float32)
  model(images)
  optimizer.build(model.trainable_variables)
  step = training_step(model, optimizer)
  losses, speeds = [float(step(images)) for _ in range(5)], []
  for _ in range(args.rounds):
    start = time.perf_counter()
    for _ in range(STEPS_A_ROUND):
      loss = step(images)
    losses.append(float(loss))
    seconds = time.perf_counter() - start
    speeds.append(args.batch * STEPS_A_ROUND / seconds)
  if not losses[-1] < losses[0]:
    raise SystemExit(f'the loss does not fall: {losses[0]} to {losses[-1]}')
  weights = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
  print(
    json.dumps(dict(images_per_s=statistics.median(speeds), weights=weights))
  )


if __name__ == '__main__':
  main()
