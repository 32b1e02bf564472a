"""Entropy coding with models: rANS, bits-back coding, compressed files."""

from vlae_tf.compression.chunks import (
  Chunks,
  Encoded,
  LosslessChunks,
  LossyChunks,
)
from vlae_tf.compression.codecs import (
  AutoregressiveImages,
  BitsBack,
  check_codec,
  Codec,
  codec_of,
  Independent,
  Priced,
  Transformed,
  WithCode,
)
from vlae_tf.compression.exact_model import ExactModel
from vlae_tf.compression.files import Coder, Settings, Sizes
from vlae_tf.compression.lattice import (
  GaussianSymbols,
  on_lattice,
  StandardGaussianSymbols,
)
from vlae_tf.compression.rans import Interval, Message
from vlae_tf.compression.symbols import (
  BernoulliSymbols,
  CategoricalSymbols,
  LogisticMixtureSymbols,
  PixelSymbols,
  SYMBOLS,
  Symbols,
)

__all__ = [
  'SYMBOLS',
  'AutoregressiveImages',
  'BernoulliSymbols',
  'BitsBack',
  'CategoricalSymbols',
  'Chunks',
  'Codec',
  'Coder',
  'Encoded',
  'ExactModel',
  'GaussianSymbols',
  'Independent',
  'Interval',
  'LogisticMixtureSymbols',
  'LosslessChunks',
  'LossyChunks',
  'Message',
  'PixelSymbols',
  'Priced',
  'Settings',
  'Sizes',
  'StandardGaussianSymbols',
  'Symbols',
  'Transformed',
  'WithCode',
  'check_codec',
  'codec_of',
  'on_lattice',
]
