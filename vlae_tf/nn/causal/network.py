"""Causal networks, evaluated in parallel or wavefront by wavefront."""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import schedule as schedule_lib
from vlae_tf.nn.causal.schedule import Wavefront


class Update(Protocol):
  """Decides the pixels of one wavefront, for instance draws or decodes them."""

  def __call__(
    self, noise: Any, params: tf.Tensor, state: Any, wavefront: Wavefront
  ) -> tuple[tf.Tensor, Any]:
    """Decides the pixels of a wavefront; called once for each, in their order.

    The noise is a nest of tensors `[rows * batch, k]`, the parameters have
    shape `[rows * batch, num_params]`, and the state is a nest of tensors.
    Returns pixels `[rows * batch, channels]` and the next state.
    """


class _Step:
  """The wavefronts of all nodes at one step."""

  def __init__(self, layout, constants, step, rings):
    self._layout, self._schedule = layout, layout.schedule
    factors, known = constants
    self._factors = dict(zip(self._schedule.products, factors))
    self._known = dict(zip(self._schedule.read_known, known))
    self._step, self._rings = step, rings
    self._values, self._padded = {}, {}

  def compute_nodes(self):
    """Computes all nodes but the image."""
    for node in self._schedule.nodes:
      column = self._layout.column(self._step, node)
      taps = self._schedule.products.get(node, node).taps()
      taps = [self._read(node, *tap) for tap in taps]
      if node in self._factors:
        value = self._product(node, taps, column)
      else:
        value = node.at_pixels(*taps)
      self._keep(node, value, column)

  def params(self):
    """The parameters of the image's wavefront, `[rows * batch, num_params]`."""
    image, output = self._schedule.image, self._schedule.output
    return tf.transpose(self._read(image, output, (0, 0)))

  def pick(self, noise):
    """The image's wavefront `[rows * batch, k]` of a nest that was cut."""
    column = self._layout.column(self._step, self._schedule.image)
    return tf.nest.map_structure(
      lambda x: tf.transpose(self._layout.pick(x, column)), noise
    )

  def set_pixels(self, pixels):
    """Sets the image's wavefront, of shape `[channels, rows * batch]`."""
    image = self._schedule.image
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
    lag = self._schedule.lag(node, source, offset)
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
    taps = self._schedule.products[source].taps()
    taps = [self._read_known(tap, column) for tap, _ in taps]
    return self._product(source, taps, column)

  def _product(self, node, taps, column):
    matrix, constant = self._factors[node]
    stacked = taps[0] if len(taps) == 1 else tf.concat(taps, 0)
    y = matrix @ stacked + self._layout.pick(constant, column)
    return node.finished(y)


class Session:
  """Evaluation wavefront by wavefront with the pixels computed outside.

  For samplers that cannot be inside a compiled loop, such as an entropy
  coder's:

  ```
  session = network.start(features)
  for _ in range(session.num_wavefronts):
    params, wavefront = session.params()
    session.set_pixels(decode(params, wavefront))
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
    self._step, self._pending, self._drawn = 0, None, []
    for _ in range(-layout.start):
      self._advance()

  @property
  def num_wavefronts(self) -> int:
    """Number of wavefronts."""
    return self._layout.num_wavefronts

  def params(self) -> tuple[tf.Tensor, Wavefront]:
    """The next wavefront, and its parameters `[rows * batch, num_params]`.

    Both stay the same until `set_pixels`. After the last wavefront it raises
    `ValueError`.
    """
    if len(self._drawn) == self.num_wavefronts:
      raise ValueError(
        f'`params` must not follow the last of {self.num_wavefronts} '
        'wavefronts.'
      )
    if self._pending is None:
      wavefront = self._layout.wavefront(tf.constant(self._step))
      self._pending = self._advance(), wavefront
    return self._pending

  def set_pixels(self, pixels: Any) -> None:
    """Sets the pixels of the wavefront that `params` returned, once.

    They have shape `[rows * batch, channels]`, with any values for rows outside
    the image. Another shape raises `ValueError`.
    """
    if self._pending is None:
      raise ValueError(
        '`set_pixels` must follow `params`, once for each wavefront.'
      )
    pixels = tf.convert_to_tensor(pixels)
    if pixels.shape != self._pixels.shape:
      raise ValueError(
        f'`pixels` must have shape {self._pixels.shape}, got {pixels.shape}.'
      )
    self._pixels = tf.cast(pixels, self._pixels.dtype)
    self._drawn.append(tf.transpose(self._pixels))
    self._pending = None

  # Earlier names, for one more version.
  put, num_fronts = set_pixels, num_wavefronts

  def image(self) -> tf.Tensor:
    """The image `[batch, height, width, channels]`, once all pixels are set."""
    if len(self._drawn) < self.num_wavefronts:
      raise ValueError(
        f'`image` must follow all {self.num_wavefronts} wavefronts, got '
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


class CausalNetwork(keras.layers.Layer):
  """A network that is described once, as a causal graph.

  Maps an image `[batch, height, width, channels]` and the features of its
  latents, `[batch, height, width, maps]`, to `outputs` parameters of each
  pixel, which depend on the pixels before it, in raster order, and on the
  features. `unroll` evaluates the same function one pixel after the other.
  Sub-classes define it in `describe`.
  """

  def __init__(self, name: str = 'network', **kwargs):
    super().__init__(name=name, **kwargs)

  def describe(
    self, image: graph.Image, features: graph.Features
  ) -> graph.Node:
    """Builds the graph; returns the node of the parameters."""
    raise NotImplementedError

  def build(self, image_shape, features_shape):
    self._image = graph.Image(image_shape[-1])
    self._features = graph.Features(features_shape[-1])
    self._output = self.describe(self._image, self._features)
    self.schedule = schedule_lib.Schedule(self._image, self._output)
    # Not dictionaries, which Keras would track.
    self._loops: Any = functools.cache(self._compiled_loop)
    self._sessions = functools.cache(self._session_functions)

  @property
  def image_maps(self) -> int:
    """Channels of the image; raises `ValueError` before it is built."""
    self._check_built()
    return self._image.channels

  @property
  def feature_maps(self) -> int:
    """Channels of the features; raises `ValueError` before it is built."""
    self._check_built()
    return self._features.channels

  def _check_built(self):
    if not self.built:
      raise ValueError(
        '`network` must be built, `network.build(image_shape, features_shape)`'
        f', got {self.name!r} without variables.'
      )

  @property
  def num_compiled(self) -> int:
    """Number of functions that `unroll` has compiled."""
    return self._loops.cache_info().currsize

  def order(self, height: int, width: int) -> np.ndarray:
    """Raster indices of an image's pixels in the order of `unroll`."""
    wavefronts = self.schedule.wavefronts(height, width)
    return wavefronts.pixel[wavefronts.inside]

  def call(self, image, features):
    _check_channels('image', image, self.image_maps)
    _check_channels('features', features, self.feature_maps)
    if not features.shape[1:3].is_compatible_with(image.shape[1:3]):
      raise ValueError(
        f'`features` must be as high and wide as the image, {image.shape}, '
        f'got {features.shape}.'
      )
    given = {self._image: image, self._features: features}
    nodes = graph.ancestors(self._output)
    return graph.evaluate(nodes, given)[self._output]

  def unroll(
    self,
    features: tf.Tensor,
    noise: Any,
    update: Update,
    state: Any = (),
    jit_compile: bool = True,
  ) -> tuple[tf.Tensor, Any]:
    """Feeds the network its own results, pixels of a wavefront together.

    Returns the image for which `image = update(noise, self(image, features))`,
    and the last state. The features are `[batch, height, width, maps]`, the
    noise is a nest of tensors `[batch, height, width, k]`, the state one that
    `update` carries along. Functions compiled by XLA (`jit_compile`) are kept
    for each `update`: pass one that equals the last call's.
    """
    _check_channels('features', features, self.feature_maps)
    if not jit_compile:
      return self._unroll(features, noise, update, state)
    # XLA compiles for every shape anyway; one `tf.function` for each of them
    # does not warn of tracing too often.
    loop = self._loops(update, tuple(features.shape))
    return loop(features, noise, state=state)

  def _compiled_loop(self, update, shape):
    del shape
    # TensorFlow counts the traces of a line of code: of this one there are as
    # many as networks, but none of a `partial`.
    loop = functools.partial(self._unroll, update=update)
    return tf.function(loop, jit_compile=True, autograph=False)

  def _unroll(self, features, noise, update, state):
    layout = schedule_lib.Layout(self.schedule, features)
    constants = self._constants(layout, features)
    noise = tf.nest.map_structure(layout.cut, noise)
    stored = list(layout.lengths)

    def body(step, rings, drawn, state):
      rings = dict(zip(stored, rings))
      now = _Step(layout, constants, step, rings)
      now.compute_nodes()
      pixels, state = update(
        now.pick(noise), now.params(), state, layout.wavefront(step)
      )
      pixels = tf.transpose(pixels)
      now.set_pixels(pixels)
      drawn = drawn.write(tf.maximum(step + layout.start, 0), pixels)
      return step + 1, [now.stored(source) for source in stored], drawn, state

    rings = [layout.ring(s, layout.empty_ring(s)) for s in stored]
    drawn = tf.TensorArray(
      layout.dtype,
      layout.num_wavefronts,
      element_shape=[self.image_maps, None],
    )
    _, _, drawn, state = tf.while_loop(
      lambda step, *_: step < layout.steps,
      body,
      (tf.constant(0), rings, drawn, state),
    )
    return layout.join(drawn.stack()), state

  def start(self, features: tf.Tensor, jit_compile: bool = True) -> Session:
    """Begins an evaluation as in `unroll`, with the pixels computed outside.

    The weights are those of this moment. Functions are compiled once for each
    shape of the features, `[batch, height, width, maps]`; a wrong number of
    channels raises `ValueError`. `jit_compile` compiles by XLA.
    """
    features = tf.convert_to_tensor(features)
    _check_channels('features', features, self.feature_maps)
    spec = tf.TensorSpec(features.shape, features.dtype)
    layout = schedule_lib.Layout(self.schedule, spec)
    begin, advance = self._sessions(spec, jit_compile)
    return Session(layout, begin, advance, features)

  def _session_functions(self, spec, jit_compile):
    return [
      tf.function(
        functools.partial(fn, spec), jit_compile=jit_compile, autograph=False
      )
      for fn in (self._begin, self._advance)
    ]

  def _begin(self, spec, features):
    """The constants of a session, and empty rings of all that is stored."""
    layout = schedule_lib.Layout(self.schedule, spec)
    constants = self._constants(layout, features)
    return constants, [layout.empty_ring(source) for source in layout.lengths]

  def _advance(self, spec, constants, rings, step, pixels):
    """The parameters of a step and its rings, given the last step's pixels."""
    layout = schedule_lib.Layout(self.schedule, spec)
    image, stored = self._image, list(layout.lengths)
    rings = {node: layout.ring(node, x) for node, x in zip(stored, rings)}
    last = _Step(layout, constants, step - 1, rings)
    last.set_pixels(tf.transpose(pixels))
    if image in rings:
      rings[image] = last.stored(image)
    now = _Step(layout, constants, step, rings)
    now.compute_nodes()
    # In their place until they are known.
    now.set_pixels(tf.transpose(layout.empty_pixels()))
    return now.params(), [now.stored(node).stack() for node in stored]

  def _constants(self, layout, features):
    """Values that the steps of an evaluation share, cut into wavefronts."""
    # Pairs of each product's matrix and the constant added to it, and the known
    # channels that are read.
    nodes = graph.ancestors(self._output)
    values = graph.evaluate(
      [n for n in nodes if n.known], {self._features: features}
    )
    # Under a mixed policy the layers' own outputs have sixteen bits; the loop
    # computes in the features' type.
    values = {node: tf.cast(x, features.dtype) for node, x in values.items()}
    products = []
    for product in self.schedule.products.values():
      matrix, constant = product.factors(values, layout.dtype)
      products.append((matrix, layout.cut(constant)))
    return products, [
      layout.cut(values[node]) for node in self.schedule.read_known
    ]


def _check_channels(name, x, channels):
  if x.shape[-1] != channels:
    raise ValueError(
      f'`{name}` must have {channels} channels, got shape {x.shape}.'
    )


def described_in_scope(describe: Callable[..., Any]) -> Callable[..., Any]:
  """Decorates a sublayer's `describe`, which makes its variables and nodes."""

  # The variables get the layer's name before their own, as in `build`.
  @functools.wraps(describe)
  def described(layer, *args, **kwargs):
    with keras.name_scope(layer.name):
      outputs = describe(layer, *args, **kwargs)
    layer.built = True
    return outputs

  return described
