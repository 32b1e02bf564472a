"""Evaluating a causal graph pixel by pixel, each number of it once.

All pixels of a front are computed together, see `wavefront`.
"""

from typing import Any

import tensorflow as tf

from vlae_tf.nn.causal import fronts, graph, steps, updates, wavefront


class Incremental:
  """The incremental form of a causal graph."""

  def __init__(self, image, features, output):
    self.image, self._features = image, features
    self.schedule = wavefront.Schedule(image, output)
    self.plan = steps.Plan(self.schedule)

  def __call__(
    self,
    features: tf.Tensor,
    noise: Any,
    update: updates.Update,
    state: Any = (),
  ) -> tuple[tf.Tensor, Any]:
    """Feeds the network its own results, front after front."""
    # features [batch, height, width, maps]; noise [batch, height, width, k] ->
    # [batch, height, width, channels]
    layout = self.layout(features)
    constants = self.constants(layout, features)
    noise = tf.nest.map_structure(layout.cut, noise)
    stored = list(layout.lengths)

    def body(step, rings, drawn, state):
      rings = dict(zip(stored, rings))
      now = steps.Step(self.plan, layout, constants, step, rings)
      now.compute_nodes()
      pixels, state = update(
        now.pick(noise), now.params(), state, layout.front(step)
      )
      pixels = tf.transpose(pixels)
      now.put(pixels)
      drawn = drawn.write(tf.maximum(step + layout.start, 0), pixels)
      return step + 1, [now.stored(source) for source in stored], drawn, state

    rings = [layout.ring(s, layout.empty_ring(s)) for s in stored]
    _, _, drawn, state = tf.while_loop(
      lambda step, *_: step < layout.steps,
      body,
      (tf.constant(0), rings, layout.empty_image(self.image), state),
    )
    return layout.join(drawn.stack()), state

  def layout(self, features):
    """The `fronts.Layout` for features, or for their `tf.TensorSpec`."""
    return fronts.Layout(self.schedule, features)

  def constants(self, layout, features):
    """The `steps.Constants` of an evaluation."""
    nodes = graph.ancestors(self.schedule.output)
    values = graph.evaluate(
      [n for n in nodes if n.known], {self._features: features}
    )
    # Under a mixed policy the layers' own outputs have sixteen bits; the loop
    # computes in the features' type.
    values = {node: tf.cast(x, features.dtype) for node, x in values.items()}
    return self.plan.constants(layout, values)
