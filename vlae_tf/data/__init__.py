"""Data sets as arrays, and arrays as batches of binarised images."""

from vlae_tf.data.directories import default_data_dir
from vlae_tf.data.image_data import ImageData
from vlae_tf.data.pipeline import (
  bernoulli_means,
  evaluation_batches,
  fixed_binarization,
  is_binary,
  training_batches,
)
from vlae_tf.data.sources import DATASETS, load

__all__ = [
  'DATASETS',
  'ImageData',
  'bernoulli_means',
  'default_data_dir',
  'evaluation_batches',
  'fixed_binarization',
  'is_binary',
  'load',
  'training_batches',
]
