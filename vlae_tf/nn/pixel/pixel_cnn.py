"""The paper's PixelCNN: a small stack of masked convolutions.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (Appendix A)
[2]: Aaron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu. Pixel Recurrent
     Neural Networks. In _International Conference on Machine Learning_, 2016.
     https://arxiv.org/abs/1601.06759
"""

from vlae_tf.nn.causal import convolution as conv
from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import serialization


@serialization.register
class PixelCNN(causal_network.CausalNetwork):
  """Masked 3x3 convolutions with 1x1 residual blocks between them [1], [2].

  Six layers see 69 pixels. To the right of the pixel there is a blind spot
  above that no number of layers sees.

  >>> import vlae_tf
  >>> network = PixelCNN(outputs=1, units=4)
  >>> network.build((None, None, None, 1), (None, None, None, 3))
  >>> vlae_tf.receptive_field(network).num_pixels
  69
  """

  def __init__(
    self,
    outputs: int,
    units: int = 12,
    depth: int = 6,
    tied: bool = False,
    **kwargs,
  ):
    """Creates the network.

    Args:
      outputs: Number of parameters of a pixel.
      units: Number of maps.
      depth: Number of masked convolutions.
      tied: Whether the masked convolutions after the first share their weights.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: `depth` is less than 2.
    """
    super().__init__(**kwargs)
    if depth < 2:
      raise ValueError(f'`depth` must be at least 2, got {depth}.')
    self._units, self._depth = units, depth
    mask = conv.raster_mask(3, units, units, include_center=True)
    self._masked = [
      conv.MaskedConv2D(
        units, 3, mask, name=f'masked_{k}', dtype=self.dtype_policy
      )
      for k in range(1 if tied else depth - 1)
    ]
    self._pointwise = [
      conv.Pointwise(units, name=f'pointwise_{k}', dtype=self.dtype_policy)
      for k in range(2 * (depth - 2))
    ]
    self._last = conv.Pointwise(outputs, name='last', dtype=self.dtype_policy)

  def describe(self, image, features):
    inputs = image.maps + features.maps
    mask = conv.raster_mask(3, inputs, image.maps, include_center=False)
    self._first = conv.MaskedConv2D(
      self._units, 3, mask, name='first', dtype=self.dtype_policy
    )
    h = graph.Convolution(self._first, image, features)
    # In this order, on which the initial weights of a seed depend.
    for layer in self._masked + self._pointwise:
      layer.build((None, None, None, self._units))
    for i in range(self._depth - 1):
      masked = self._masked[i % len(self._masked)]
      h += graph.Convolution(masked, graph.elu(h))
      pair = self._pointwise[2 * i : 2 * i + 2]
      if pair:
        inner, outer = pair
        middle = graph.Convolution(inner, graph.elu(h))
        h += graph.Convolution(outer, graph.elu(middle))
    return graph.Convolution(self._last, graph.elu(h))
