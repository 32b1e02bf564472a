"""Data sets as arrays, and arrays as batches of images."""

from vlae_tf.data.collections import Collection
from vlae_tf.data.image_data import ImageData, pixel_kind, PIXEL_KINDS
from vlae_tf.data.pipeline import (
  bernoulli_means,
  evaluation_batches,
  fixed_binarization,
  training_batches,
)
from vlae_tf.data.sources import DATASETS, load
from vlae_tf.data.storage import default_data_dir

__all__ = [
  'DATASETS',
  'PIXEL_KINDS',
  'Collection',
  'ImageData',
  'bernoulli_means',
  'default_data_dir',
  'evaluation_batches',
  'fixed_binarization',
  'load',
  'pixel_kind',
  'training_batches',
]
