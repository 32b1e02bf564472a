"""The evaluation front by front, driven from outside."""

from typing import Any

import tensorflow as tf

from vlae_tf.nn.causal import steps, updates


class Session:
  """Hands out the parameters of a front and takes its pixels, by turns.

  For what cannot be inside a compiled loop, such as an entropy coder:

  ```
  session = network.start(features)
  for _ in range(session.num_fronts):
    params, front = session.params()
    session.put(decode(params, front))
  image = session.image()
  ```

  Parameters are those of the parallel network and of `unroll` up to rounding,
  and the same bits in every session of one shape and the same pixels: a coder
  goes this way in both directions.
  """

  def __init__(self, functions, features):
    """Begins an evaluation, see `CausalNetwork.start`.

    Args:
      functions: `_Functions` for the shape of the features.
      features: `Tensor` of shape `[batch, height, width, maps]`.
    """
    self._functions = functions
    self._layout = functions.layout()
    self._constants, self._rings = functions.begin(features)
    self._pixels = functions.no_pixels(self._layout)
    self._step, self._offer, self._drawn = 0, None, []
    for _ in range(-self._layout.start):
      self._advance()

  @property
  def num_fronts(self) -> int:
    """Number of fronts."""
    return self._layout.num_fronts

  def params(self) -> tuple[tf.Tensor, updates.Front]:
    """What the network says of the pixels of the next front.

    Returns:
      A `Tensor` of shape `[rows * batch, num_params]`, and which pixels these
      are. The same again until `put`.

    Raises:
      ValueError: All fronts have been put.
    """
    if len(self._drawn) == self.num_fronts:
      raise ValueError(
        f'`params` must not follow the last of {self.num_fronts} fronts.'
      )
    if self._offer is None:
      front = self._layout.front(tf.constant(self._step))
      self._offer = self._advance(), front
    return self._offer

  def put(self, pixels: Any) -> None:
    """Decides the pixels of the front that `params` told of.

    Args:
      pixels: Numbers of shape `[rows * batch, channels]`, any for rows outside
        the image.

    Raises:
      ValueError: `params` was not called since the last `put`, or the shape is
        another.
    """
    if self._offer is None:
      raise ValueError('`put` must follow `params`, once for each front.')
    pixels = tf.convert_to_tensor(pixels)
    if pixels.shape != self._pixels.shape:
      raise ValueError(
        f'`pixels` must have shape {self._pixels.shape}, got {pixels.shape}.'
      )
    self._pixels = tf.cast(pixels, self._pixels.dtype)
    self._drawn.append(tf.transpose(self._pixels))
    self._offer = None

  def image(self) -> tf.Tensor:
    """The image `[batch, height, width, channels]`.

    Raises:
      ValueError: Some front has not been put.
    """
    if len(self._drawn) < self.num_fronts:
      raise ValueError(
        f'`image` must follow all {self.num_fronts} fronts, got '
        f'{len(self._drawn)}.'
      )
    return self._layout.join(tf.stack(self._drawn))

  def _advance(self):
    """Goes on by a step, the last pixels known; returns its parameters."""
    step = tf.constant(self._step)
    params, self._rings = self._functions.advance(
      self._constants, self._rings, step, self._pixels
    )
    self._step += 1
    return params


class Sessions:
  """Begins sessions; what is compiled for a shape is kept."""

  def __init__(self, incremental):
    self._incremental = incremental
    self._functions = {}

  @property
  def num_traces(self):
    """Number of functions traced so far."""
    return sum(f.num_traces for f in self._functions.values())

  def start(self, features, jit_compile):
    """A new `Session`."""
    spec = tf.TensorSpec(features.shape, features.dtype)
    key = (spec, jit_compile)
    if key not in self._functions:
      self._functions[key] = _Functions(self._incremental, spec, jit_compile)
    return Session(self._functions[key], features)


class _Functions:
  """The functions of sessions of one shape."""

  def __init__(self, incremental, spec, jit_compile):
    self._incremental, self._spec = incremental, spec
    options = dict(jit_compile=jit_compile, autograph=False)
    # What depends on the features comes in as an argument: one trace serves
    # all sessions.
    self.begin = tf.function(self._begin, **options)
    self.advance = tf.function(self._advance, **options)

  @property
  def num_traces(self):
    return sum(
      f.experimental_get_tracing_count() for f in (self.begin, self.advance)
    )

  def layout(self):
    return self._incremental.layout(self._spec)

  def no_pixels(self, layout):
    return tf.zeros([layout.size, self._incremental.image.maps], layout.dtype)

  def _begin(self, features):
    """The constants, and empty rings of all that is stored."""
    layout = self.layout()
    constants = self._incremental.constants(layout, features)
    return constants, [layout.empty_ring(source) for source in layout.lengths]

  def _advance(self, constants, rings, step, pixels):
    """The parameters of a step and its rings, given the last step's pixels."""
    layout, plan = self.layout(), self._incremental.plan
    image, stored = self._incremental.image, list(layout.lengths)
    rings = {node: layout.ring(node, x) for node, x in zip(stored, rings)}
    last = steps.Step(plan, layout, constants, step - 1, rings)
    last.put(tf.transpose(pixels))
    if image in rings:
      rings[image] = last.stored(image)
    now = steps.Step(plan, layout, constants, step, rings)
    now.compute_nodes()
    # In their place until they are decided.
    now.put(tf.transpose(self.no_pixels(layout)))
    return now.params(), [now.stored(node).stack() for node in stored]
