"""Images drawn from a model, as computations on tensors: a graph can hold them.

`sampling` is the same for those who have arrays.
"""

from collections.abc import Callable

import tensorflow as tf

from vlae_tf.distributions import reparameterized
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import random

# Images drawn at a time, which decides the memory.
AT_ONCE = 512

# From the first and last number of some images and from two seeds to draws of
# them, `[draws, num, height, width, channels]`.
_DrawPart = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def samples(
  model: model_lib.VLAE, num: int | tf.Tensor, seed: int | tf.Tensor = 0
) -> tf.Tensor:
  """Unconditional samples: `z ~ p(z)`, `x ~ p(x|z)`."""
  # num []; seed [] -> [num, height, width, channels]

  def draw(start, stop, code_seed, image_seed):
    z = model.prior().sample(stop - start, seed=code_seed)
    return model.likelihood(z).sample(1, seed=image_seed)

  return _in_parts(model, num, 1, seed, draw)[0]


def decompressions(
  model: model_lib.VLAE,
  image: tf.Tensor,
  draws: int = 1,
  seed: int | tf.Tensor = 0,
) -> tf.Tensor:
  """Images drawn from the codes of given ones: `z ~ q(z|x)`, `x' ~ p(x'|z)`."""
  # image [num, height, width, channels] -> [draws, num, height, width,
  # channels]

  def draw(start, stop, code_seed, image_seed):
    z = codes(model, image[start:stop], code_seed)
    return model.likelihood(z).sample(draws, seed=image_seed)

  return _in_parts(model, tf.shape(image)[0], draws, seed, draw)


def from_codes(
  model: model_lib.VLAE,
  z: tf.Tensor,
  draws: int = 1,
  seed: int | tf.Tensor = 0,
) -> tf.Tensor:
  """Images drawn from given codes: `x ~ p(x|z)`."""
  # z [num, *event_shape] -> [draws, num, height, width, channels]

  def draw(start, stop, code_seed, image_seed):
    del code_seed
    return model.likelihood(z[start:stop]).sample(draws, seed=image_seed)

  return _in_parts(model, tf.shape(z)[0], draws, seed, draw)


def completions(
  model: model_lib.VLAE,
  image: tf.Tensor,
  given: tf.Tensor,
  draws: int = 1,
  seed: int | tf.Tensor = 0,
  proposals: int = 256,
) -> tf.Tensor:
  """Draws the other pixels, with latents inferred from those given."""
  # given [height, width] -> [draws, num, height, width, channels]
  mask = tf.cast(given, image.dtype)[..., None]

  def draw(start, stop, code_seed, image_seed):
    part = image[start:stop] * mask

    def codes_of(pair):
      i, x = pair
      its_seed = tf.random.experimental.stateless_fold_in(code_seed, i)
      return _codes_of_part(model, x, mask, draws, proposals, its_seed)

    spec = tf.TensorSpec([draws, *model.event_shape])
    numbers = tf.range(stop - start)
    z = tf.map_fn(codes_of, (numbers, part), fn_output_signature=spec)
    z = tf.transpose(z, [1, 0, *range(2, 2 + len(model.event_shape))])
    return model.likelihood(z).complete(part, given, seed=image_seed)

  return _in_parts(model, tf.shape(image)[0], draws, seed, draw)


def codes(
  model: model_lib.VLAE, image: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
  """One code of each image."""
  # seed [2] -> [num, *event_shape]
  shape = tf.concat([tf.shape(image)[:1], model.event_shape], 0)
  noise = tf.random.stateless_normal(shape, seed)
  noise = tf.ensure_shape(noise, [image.shape[0], *model.event_shape])
  return reparameterized.draw(model.posterior(image), noise).value


def _codes_of_part(model, image, mask, draws, proposals, seed):
  """Codes of shape `[draws, *event_shape]` from `p(z | given pixels)`."""
  prior, half = model.prior(), proposals // 2
  q = model.posterior(image[None])
  seeds_ = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
  of_posterior = q.sample(half, seed=seeds_[1])[:, 0]
  z = tf.concat([prior.sample(half, seed=seeds_[0]), of_posterior], 0)
  of_pixels = model.likelihood(z).conditionals(image).log_prob(image)
  log_prior = prior.log_prob(tf.identity(z))
  # Of the equal mixture of both proposals, up to a constant.
  log_posterior = q.log_prob(z[:, None])[:, 0]
  log_proposal = tf.reduce_logsumexp([log_prior, log_posterior], axis=0)
  log_weight = (
    tf.reduce_sum(of_pixels * mask[..., 0], [-2, -1]) + log_prior - log_proposal
  )
  chosen = tf.random.stateless_categorical(log_weight[None], draws, seeds_[2])
  return tf.gather(z, chosen[0])


def _in_parts(model, num, draws, seed, draw: _DrawPart):
  """Draws of `num` images, in parts that fit the memory, each of own seeds."""
  size = max(1, AT_ONCE // draws)
  num = tf.convert_to_tensor(num)
  of_codes, of_images = (
    random.stream_seed(seed, 'sample', i) for i in range(2)
  )
  shape = model.image_shape
  total = (num + size - 1) // size
  drawn = tf.TensorArray(
    tf.float32, total, infer_shape=False, element_shape=[None, draws, *shape]
  )

  def add(k, drawn):
    part = draw(
      k * size,
      tf.minimum((k + 1) * size, num),
      _folded(of_codes, k),
      _folded(of_images, k),
    )
    return k + 1, drawn.write(k, tf.transpose(part, [1, 0, 2, 3, 4]))

  _, drawn = tf.while_loop(
    lambda k, _: k < total, add, (0, drawn), parallel_iterations=1
  )
  return tf.transpose(drawn.concat(), [1, 0, 2, 3, 4])


def _folded(seed, k):
  """The seed of part `k`; of the first, the seed itself."""
  other = tf.random.experimental.stateless_fold_in(seed, k)
  return tf.where(k > 0, other, seed)
