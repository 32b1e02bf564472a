"""Small models, networks and images: the one set that all tests share."""

from toys.configs import FLAGS, SIZES, small_config, SMALLEST
from toys.data import binary_images, image_data
from toys.dependence import expected_pairs, take_steps, window
from toys.exact import LinearGaussian
from toys.models import functions_run_eagerly, random_model, small_model
from toys.networks import (
  at_wavefront,
  build_network,
  build_untrained,
  FEATURE_MAPS,
  features,
  make_network,
  MAKERS,
  seen_pairs,
  uniforms,
)

__all__ = [
  'FEATURE_MAPS',
  'FLAGS',
  'MAKERS',
  'SIZES',
  'SMALLEST',
  'LinearGaussian',
  'at_wavefront',
  'binary_images',
  'build_network',
  'build_untrained',
  'expected_pairs',
  'features',
  'functions_run_eagerly',
  'image_data',
  'make_network',
  'random_model',
  'seen_pairs',
  'small_config',
  'small_model',
  'take_steps',
  'uniforms',
  'window',
]
