"""Likelihoods of images, in nats.

#### References

[1]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.evaluation import estimates, importance, inputs
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import weight_norm
from vlae_tf.utils import checks, devices, random


class Evaluator:
  """Estimates log p(x) by importance sampling from the posterior [1].

  `log p(x) ~ log mean{ p(x|z[k]) p(z[k]) / q(z[k]|x) }`, a lower bound in
  expectation that tightens as samples are added.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> model = build_model(config, image_shape=(4, 4, 1))
  >>> found = Evaluator(model, num_samples=8)(np.ones([3, 4, 4, 1], bool))
  >>> found.log_prob.shape, bool((found.log_prob > found.elbo).all())
  ((3,), True)
  """

  def __init__(
    self,
    model: model_lib.VLAE,
    num_samples: int = 1,
    seed: int = 0,
    strategy: tf.distribute.Strategy | None = None,
    streams: int = 1,
  ):
    """Creates the evaluator; its graph is traced at the first use.

    Args:
      model: Built `VLAE`.
      num_samples: Codes of each image, at least 1; of a model without a code
        one is taken.
      seed: Python integer that decides the codes.
      strategy: What the model was built under, whose devices share the images;
        one device by default.
      streams: Batches of images that are scored side by side.

    Raises:
      ValueError: `num_samples` is less than 1, or `seed` is no seed.
    """
    num_samples = checks.integer('num_samples', num_samples, 1)
    self._model = model
    if not math.prod(model.event_shape):
      num_samples = 1  # Without a code, one is exact.
    self._num_samples = num_samples
    self._seed = checks.integer('seed', seed, 0, random.MAX_SEED)
    options = dict(reduce_retracing=True, autograph=False)
    self._compiled = tf.function(self._estimate, **options)
    self._strategy, self._streams = strategy, streams
    if strategy is not None and strategy.num_replicas_in_sync == 1:
      self._strategy = None
    self._on_replicas = tf.function(self._estimate_on_replicas, **options)

  @property
  def num_samples(self) -> int:
    """Codes of each image."""
    return self._num_samples

  def __call__(
    self,
    images: np.ndarray,
    split: str = 'test',
    progress: Callable[[int], Any] | None = None,
    kind: str | None = None,
  ) -> estimates.Estimates:
    """Estimates for all images, in the binarisation fixed for their split.

    Args:
      images: Array of shape `[num_images, height, width, channels]`, see
        `ImageData`.
      split: Name of the split they are.
      progress: Optional callable of the number of images done.
      kind: What the value of a pixel means, see `ImageData`; inferred by
        default.

    Returns:
      `Estimates`.

    Raises:
      ValueError: The images are not of the model's shape, or not of a kind
        that its pixels have a law for.
    """
    parts = []
    for part in self.parts(images, split, kind):
      parts.append(part)
      if progress is not None:
        progress(len(part.log_prob))
    return estimates.joined(parts)

  def parts(
    self,
    images: np.ndarray,
    split: str = 'test',
    kind: str | None = None,
    numbers: Sequence[int] | np.ndarray | None = None,
  ) -> Iterator[estimates.Estimates]:
    """Estimates for some images after the others.

    Args:
      images: As of a call.
      split: As of a call.
      kind: As of a call.
      numbers: Numbers of the images to take, in that order; all by default.

    Yields:
      `Estimates` of the next images.

    Raises:
      ValueError: As a call.
    """
    kind = inputs.check_kind(self._model, images, kind)
    replicas = self._strategy.num_replicas_in_sync if self._strategy else 1
    on_each = importance.num_images(self._num_samples)
    batches = data_lib.evaluation_batches(
      images, on_each * replicas, split=split, kind=kind, numbers=numbers
    )
    for found in devices.threaded_map(
      lambda batch: self.estimate(**batch), batches, self._streams
    ):
      columns = {
        name: getattr(found, name).numpy() for name in estimates.COLUMNS
      }
      yield estimates.Estimates(**columns, num_samples=self._num_samples)

  def estimate(self, image: tf.Tensor, index: tf.Tensor) -> importance.Estimate:
    """Estimates for one batch, in memory that the samples do not add to.

    Args:
      image: Float32 `Tensor` of shape `[batch, height, width, channels]`.
      index: Integer `Tensor` of shape `[batch]`: numbers of the images, which
        decide their codes.

    Returns:
      An `importance.Estimate`.

    Raises:
      ValueError: There are not as many numbers as images.
    """
    image, index = tf.convert_to_tensor(image), tf.convert_to_tensor(index)
    if not index.dtype.is_integer or index.shape != image.shape[:1]:
      raise ValueError(
        f'`index` must be integers of shape {image.shape[:1]}, got '
        f'{index.dtype.name} of shape {index.shape}.'
      )
    if self._strategy is None:
      return self._compiled(image, index)
    return self._shared(self._strategy, image, index)

  def _shared(self, strategy, image, index):
    """An `Estimate` of a batch that the replicas of a strategy share."""
    num = len(index)
    each = math.ceil(num / strategy.num_replicas_in_sync)

    def of_replica(x):
      def rows(context):
        first = context.replica_id_in_sync_group * each
        # Of the last image again, where there are not enough.
        return tf.gather(x, np.minimum(np.arange(each) + first, num - 1))

      return strategy.experimental_distribute_values_from_function(rows)

    found = self._on_replicas(of_replica(image), of_replica(index))
    columns = map(strategy.experimental_local_results, found)
    return importance.Estimate(*(tf.concat(c, 0)[:num] for c in columns))

  def _estimate_on_replicas(self, image, index):
    assert self._strategy is not None
    return self._strategy.run(self._estimate, (image, index))

  def _estimate(self, image, index):
    layers = [x for x in weight_norm.layers_of(self._model) if x.built]
    # Once, and not for every block of codes.
    kernels = [layer.kernel for layer in layers]
    with weight_norm.given_kernels(layers, kernels):
      return importance.estimate(
        self._model, image, index, self._num_samples, self._seed
      )
