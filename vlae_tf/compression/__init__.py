"""Laws as codes: what is pushed onto a message is popped off it again."""

from vlae_tf.compression.bits_back import BitsBack, WithCode
from vlae_tf.compression.chunks import Chunks, Encoded
from vlae_tf.compression.codec import check_codec, Codec, Priced
from vlae_tf.compression.codecs import codec_of
from vlae_tf.compression.exact_model import ExactModel
from vlae_tf.compression.files import Coder
from vlae_tf.compression.images import AutoregressiveImages
from vlae_tf.compression.independent import Independent, Transformed
from vlae_tf.compression.lattice import (
  GaussianSymbols,
  on_lattice,
  StandardGaussianSymbols,
)
from vlae_tf.compression.logistic_mixture_symbols import LogisticMixtureSymbols
from vlae_tf.compression.lossless import LosslessChunks
from vlae_tf.compression.lossy import LossyChunks
from vlae_tf.compression.rans import Interval, Message
from vlae_tf.compression.settings import Settings, Sizes
from vlae_tf.compression.symbols import (
  BernoulliSymbols,
  CategoricalSymbols,
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
