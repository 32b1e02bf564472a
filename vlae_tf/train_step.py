"""One optimisation step, the same on one device and on many."""

import tensorflow as tf

from vlae_tf import seeds


def latent_noise(config, batch):
  """Noise of a batch's codes.

  It is drawn for the whole global batch, so that what a slot gets does not
  depend on the replica that it is on.

  Args:
    config: `Config`.
    batch: Element of `training_batches`.

  Returns:
    A float32 `Tensor` of shape `[batch, latent_size]`.
  """
  noise = tf.random.stateless_normal(
    [config.batch_size, config.latent_size],
    seeds.stream_seed(config.seed, 'latent', batch['step']),
  )
  return tf.gather(noise, batch['slot'])


class TrainStep:
  """Gradient, clipping, update and weight averaging for one global batch.

  What couples the batch (the free-bits floor, the clipping norm) acts on sums
  over all replicas, so any number of replicas gives the same step.
  """

  def __init__(self, strategy, model, averages, optimizer, config):
    """Creates the step.

    Args:
      strategy: `tf.distribute.Strategy` that everything else was made under.
      model: Built `VLAE`.
      averages: Built `VLAE` whose weights follow the model's.
      optimizer: Built Keras optimiser; its `iterations` count the steps.
      config: `Config`.
    """
    self._strategy = strategy
    self._model = model
    self._averages = averages
    self._optimizer = optimizer
    self._config = config

  @tf.function
  def __call__(self, iterator, num_steps):
    """Takes several steps.

    Args:
      iterator: Iterator of (distributed) training batches.
      num_steps: Integer `Tensor` of shape `[]`, at least 1.

    Returns:
      A dictionary of the last step's scalars.
    """
    metrics = self._step(next(iterator))
    for _ in tf.range(num_steps - 1):
      metrics = self._step(next(iterator))
    return metrics

  def _step(self, batch):
    metrics = self._strategy.run(self._replica_step, (batch,))
    self._update_averages()
    # Equal on all replicas: they are made of global sums.
    local = self._strategy.experimental_local_results
    return {name: local(value)[0] for name, value in metrics.items()}

  def _replica_step(self, batch):
    replicas = tf.distribute.get_replica_context()
    objective, weights = self._model.objective, self._model.trainable_variables
    with tf.GradientTape() as tape:
      terms = self._model(batch['image'], latent_noise(self._config, batch))
      parts = [tf.reduce_sum(t) / self._config.batch_size for t in terms]
      distortion, rate = replicas.all_reduce(
        tf.distribute.ReduceOp.SUM, [tf.stop_gradient(p) for p in parts]
      )
      loss = parts[0] + objective.rate_weight(rate) * parts[1]
    gradients = replicas.all_reduce(
      tf.distribute.ReduceOp.SUM, tape.gradient(loss, weights)
    )
    norm = tf.linalg.global_norm(gradients)
    self._apply(gradients, norm)
    return {
      'loss': objective.value(distortion, rate),
      'elbo': -distortion - rate,
      'distortion': distortion,
      'rate': rate,
      'gradient_norm': norm,
    }

  def _apply(self, gradients, norm):
    scale = 1.0
    if self._config.gradient_clip_norm:
      scale = tf.minimum(1.0, self._config.gradient_clip_norm / norm)
    # Keras sums over the replicas once more.
    scale /= self._strategy.num_replicas_in_sync
    weights = self._model.trainable_variables
    self._optimizer.apply_gradients(
      [(g * scale, w) for g, w in zip(gradients, weights)]
    )

  def _update_averages(self):
    """`average += (1 - decay) (weight - average)`, in cross-replica context."""
    step = tf.cast(self._optimizer.iterations, tf.float32)
    # Early on, an average over as many steps as there were.
    decay = tf.minimum(self._config.polyak_decay, step / (step + 10.0))
    pairs = zip(
      self._averages.trainable_variables, self._model.trainable_variables
    )
    for average, weight in pairs:
      self._strategy.extended.update(
        average.value,
        lambda a, w: a.assign_sub((1.0 - decay) * (a - w)),
        args=(weight.value,),
      )
