"""Networks as Keras layers; none of them computes a likelihood."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)

from vlae_tf.nn.causal.network import CausalNetwork, Session, Update
from vlae_tf.nn.causal.schedule import Wavefront
from vlae_tf.nn.made import MADE
from vlae_tf.nn.pixel.pixel_cnn import GatedPixelCNN, PixelCNN
from vlae_tf.nn.pixel.pixel_cnn_pp import GreyPixelCNNPlusPlus, PixelCNNPlusPlus
from vlae_tf.nn.pixel.shift_cnn import ChannelwiseShiftCNN, ShiftCNN
from vlae_tf.nn.pixel.window_cnn import (
  DownsampledWindowCNN,
  PointwiseCNN,
  WindowCNN,
)
from vlae_tf.nn.residual import (
  DenseBlock,
  DenseNetEncoder,
  DenseNetGenerator,
  Encoder,
  Generator,
  ResidualBlock,
  SpatialEncoder,
  SpatialGenerator,
)
from vlae_tf.nn.weight_norm import (
  data_dependent_initialization,
  WeightNorm,
  WeightNormConv2D,
  WeightNormConv2DTranspose,
  WeightNormDense,
)

Front = Wavefront  # The earlier name, for one more version.

__all__ = [
  'MADE',
  'CausalNetwork',
  'ChannelwiseShiftCNN',
  'DenseBlock',
  'DenseNetEncoder',
  'DenseNetGenerator',
  'DownsampledWindowCNN',
  'Encoder',
  'GatedPixelCNN',
  'Generator',
  'GreyPixelCNNPlusPlus',
  'PixelCNN',
  'PixelCNNPlusPlus',
  'PointwiseCNN',
  'ResidualBlock',
  'Session',
  'ShiftCNN',
  'SpatialEncoder',
  'SpatialGenerator',
  'Update',
  'Wavefront',
  'WeightNorm',
  'WeightNormConv2D',
  'WeightNormConv2DTranspose',
  'WeightNormDense',
  'WindowCNN',
  'data_dependent_initialization',
]
