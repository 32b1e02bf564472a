"""Laws as codes: what is pushed onto a message is popped off it again."""

from vlae_tf.coding.bits_back import BitsBack, WithCode
from vlae_tf.coding.chunks import Chunks, Encoded
from vlae_tf.coding.codec import check_codec, Codec, Priced
from vlae_tf.coding.exact_model import ExactModel
from vlae_tf.coding.files import Coder
from vlae_tf.coding.images import AutoregressiveImages
from vlae_tf.coding.independent import Independent, Transformed
from vlae_tf.coding.lattice import (
  GaussianSymbols,
  on_lattice,
  StandardGaussianSymbols,
)
from vlae_tf.coding.laws import codec_of
from vlae_tf.coding.logistic_mixture_symbols import LogisticMixtureSymbols
from vlae_tf.coding.lossless import LosslessChunks
from vlae_tf.coding.lossy import LossyChunks
from vlae_tf.coding.message import Interval, Message
from vlae_tf.coding.settings import Settings, Sizes
from vlae_tf.coding.symbols import (
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
