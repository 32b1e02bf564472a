"""Evaluation of a causal graph wavefront by wavefront, each value once."""

import functools
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import schedule as schedule_lib
from vlae_tf.nn.causal.schedule import Front


class Update(Protocol):
  """Decides the pixels of one wavefront, for instance draws or decodes them."""

  def __call__(
    self, noise: Any, params: tf.Tensor, state: Any, front: Front
  ) -> tuple[tf.Tensor, Any]:
    """Decides the pixels of a wavefront; called once for each, in their order.

    Args:
      noise: Nest of tensors `[rows * batch, k]`.
      params: `Tensor` of shape `[rows * batch, num_params]`.
      state: Nest of tensors, carried from wavefront to wavefront.
      front: The wavefront.

    Returns:
      Pixels `[rows * batch, channels]`, and the next state.
    """


class Incremental:
  """The evaluation of a causal graph in a loop, or in sessions."""

  def __init__(self, image, features, output):
    self._features = features
    self.schedule = schedule_lib.Schedule(image, output)
    self._plan = schedule_lib.Plan(self.schedule)
    self._unrolls, self._sessions = {}, {}

  @property
  def num_compiled(self):
    """Number of functions that `unroll` has compiled."""
    return len(self._unrolls)

  def unroll(self, features, noise, update, state, jit_compile):
    """Feeds the network its own results, see `CausalNetwork.unroll`."""
    if not jit_compile:
      return self._unroll(features, noise, update, state)
    # XLA compiles for every shape anyway; one `tf.function` for each of them
    # does not warn of tracing too often.
    key = (update, tuple(features.shape))
    if key not in self._unrolls:
      # TensorFlow counts the traces of a line of code: of this one there are as
      # many as networks, but none of a `partial`.
      self._unrolls[key] = tf.function(
        functools.partial(self._unroll, update=update),
        jit_compile=True,
        autograph=False,
      )
    return self._unrolls[key](features, noise, state=state)

  def _unroll(self, features, noise, update, state):
    layout = schedule_lib.Layout(self.schedule, features)
    constants = self._constants(layout, features)
    noise = tf.nest.map_structure(layout.cut, noise)
    stored = list(layout.lengths)

    def body(step, rings, drawn, state):
      rings = dict(zip(stored, rings))
      now = _Step(self._plan, layout, constants, step, rings)
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
      (tf.constant(0), rings, layout.empty_image(), state),
    )
    return layout.join(drawn.stack()), state

  def start(self, features, jit_compile):
    """Begins a `Session`; its functions are traced once for each shape."""
    spec = tf.TensorSpec(features.shape, features.dtype)
    if (spec, jit_compile) not in self._sessions:
      self._sessions[spec, jit_compile] = [
        tf.function(
          functools.partial(fn, spec), jit_compile=jit_compile, autograph=False
        )
        for fn in (self._begin, self._advance)
      ]
    layout = schedule_lib.Layout(self.schedule, spec)
    begin, advance = self._sessions[spec, jit_compile]
    return Session(layout, begin, advance, features)

  def _begin(self, spec, features):
    """The constants of a session, and empty rings of all that is stored."""
    layout = schedule_lib.Layout(self.schedule, spec)
    constants = self._constants(layout, features)
    return constants, [layout.empty_ring(source) for source in layout.lengths]

  def _advance(self, spec, constants, rings, step, pixels):
    """The parameters of a step and its rings, given the last step's pixels."""
    layout = schedule_lib.Layout(self.schedule, spec)
    image, stored = self.schedule.image, list(layout.lengths)
    rings = {node: layout.ring(node, x) for node, x in zip(stored, rings)}
    last = _Step(self._plan, layout, constants, step - 1, rings)
    last.put(tf.transpose(pixels))
    if image in rings:
      rings[image] = last.stored(image)
    now = _Step(self._plan, layout, constants, step, rings)
    now.compute_nodes()
    # In their place until they are decided.
    now.put(tf.transpose(layout.empty_pixels()))
    return now.params(), [now.stored(node).stack() for node in stored]

  def _constants(self, layout, features):
    nodes = graph.ancestors(self.schedule.output)
    values = graph.evaluate(
      [n for n in nodes if n.known], {self._features: features}
    )
    # Under a mixed policy the layers' own outputs have sixteen bits; the loop
    # computes in the features' type.
    values = {node: tf.cast(x, features.dtype) for node, x in values.items()}
    products = []
    for product in self._plan.products.values():
      matrix, constant = product.factors(values, layout.dtype)
      products.append((matrix, layout.cut(constant)))
    return _Constants(
      products, [layout.cut(values[node]) for node in self._plan.known]
    )


class _Constants(NamedTuple):
  """The part of an evaluation that its steps share, cut into wavefronts."""

  # Pairs of the matrix of each product and the constant added to it.
  products: list[tuple[tf.Tensor, tf.Tensor]]
  known: list[tf.Tensor]  # The known channels that are read.


class _Step:
  """The wavefronts of all nodes at one step."""

  def __init__(self, plan, layout, constants, step, rings):
    self._plan, self._layout = plan, layout
    self._products = dict(zip(plan.products, constants.products))
    self._known = dict(zip(plan.known, constants.known))
    self._step, self._rings = step, rings
    self._values, self._padded = {}, {}

  def compute_nodes(self):
    """Computes all nodes but the image."""
    for node in self._plan.schedule.nodes:
      column = self._layout.column(self._step, node)
      taps = [self._read(node, *tap) for tap in self._plan.taps(node)]
      if node in self._products:
        value = self._product(node, taps, column)
      else:
        value = node.at_pixels(*taps)
      self._keep(node, value, column)

  def params(self):
    """The parameters of the image's wavefront, `[rows * batch, num_params]`."""
    schedule = self._plan.schedule
    return tf.transpose(self._read(schedule.image, schedule.output, (0, 0)))

  def pick(self, noise):
    """The image's wavefront `[rows * batch, k]` of a nest that was cut."""
    column = self._layout.column(self._step, self._plan.schedule.image)
    return tf.nest.map_structure(
      lambda x: tf.transpose(self._layout.pick(x, column)), noise
    )

  def put(self, pixels):
    """Sets the image's wavefront, of shape `[channels, rows * batch]`."""
    image = self._plan.schedule.image
    self._keep(image, pixels, self._layout.column(self._step, image))

  def stored(self, source):
    """The ring of a node with its wavefront of this step."""
    slot = self._step % self._layout.lengths[source]
    return self._rings[source].write(slot, self._padded[source])

  def _keep(self, node, value, column):
    self._values[node] = value
    if node in self._rings:
      self._padded[node] = self._layout.pad(node, value, column)

  def _read(self, node, source, offset):
    """The wavefront of `source` at an offset from a node's pixels."""
    column = self._layout.column(self._step, node)
    if source.known:
      return self._read_known(source, column)
    lag = self._plan.schedule.lag(node, source, offset)
    if lag == 0 and offset == (0, 0):
      return self._values[source]
    padded = self._padded.get(source)
    if lag:
      length = self._layout.lengths[source]
      slot = (self._step + (length - lag)) % length
      padded = self._rings[source].read(slot)
    return self._layout.window(source, padded, offset[1], column)

  def _read_known(self, source, column):
    if source in self._known:
      return self._layout.pick(self._known[source], column)
    taps = self._plan.taps(source)
    taps = [self._read_known(tap, column) for tap, _ in taps]
    return self._product(source, taps, column)

  def _product(self, node, taps, column):
    matrix, constant = self._products[node]
    stacked = taps[0] if len(taps) == 1 else tf.concat(taps, 0)
    y = matrix @ stacked + self._layout.pick(constant, column)
    return node.finished(y)


class Session:
  """Evaluation wavefront by wavefront with the pixels decided outside.

  For decisions that cannot be inside a compiled loop, such as an entropy
  coder's:

  ```
  session = network.start(features)
  for _ in range(session.num_fronts):
    params, front = session.params()
    session.put(decode(params, front))
  image = session.image()
  ```

  Parameters are those of the parallel network and of `unroll` up to rounding,
  and the same bits in every session of one shape and the same pixels: a coder
  uses sessions in both directions.
  """

  def __init__(self, layout, begin, advance, features):
    # Made by `CausalNetwork.start`.
    self._layout, self._step_function = layout, advance
    self._constants, self._rings = begin(features)
    self._pixels = layout.empty_pixels()
    self._step, self._offer, self._drawn = 0, None, []
    for _ in range(-layout.start):
      self._advance()

  @property
  def num_fronts(self) -> int:
    """Number of wavefronts."""
    return self._layout.num_fronts

  def params(self) -> tuple[tf.Tensor, Front]:
    """Parameters of the next wavefront, and that; the same until `put`.

    The parameters have shape `[rows * batch, num_params]`. After the last
    wavefront it raises `ValueError`.
    """
    if len(self._drawn) == self.num_fronts:
      raise ValueError(
        f'`params` must not follow the last of {self.num_fronts} wavefronts.'
      )
    if self._offer is None:
      front = self._layout.front(tf.constant(self._step))
      self._offer = self._advance(), front
    return self._offer

  def put(self, pixels: Any) -> None:
    """Decides the pixels of the wavefront that `params` returned.

    They have shape `[rows * batch, channels]`, with any values for rows outside
    the image. Another shape, or no `params` since the last `put`, raises
    `ValueError`.
    """
    if self._offer is None:
      raise ValueError('`put` must follow `params`, once for each wavefront.')
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

    It raises `ValueError` before all wavefronts have been put.
    """
    if len(self._drawn) < self.num_fronts:
      raise ValueError(
        f'`image` must follow all {self.num_fronts} wavefronts, got '
        f'{len(self._drawn)}.'
      )
    return self._layout.join(tf.stack(self._drawn))

  def _advance(self):
    """Computes the next step, given the last pixels; returns its parameters."""
    params, self._rings = self._step_function(
      self._constants, self._rings, tf.constant(self._step), self._pixels
    )
    self._step += 1
    return params
