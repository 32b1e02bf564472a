"""Samples and decompressions."""

import numpy as np
import toys

from vlae_tf import sampling


def test_seed_decides_the_samples():
  vlae = toys.small_model()
  first, again, other = (sampling.sample_prior(vlae, 6, s) for s in (1, 1, 2))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()
  assert set(np.unique(first)) <= {0.0, 1.0}
  assert first.shape == (6, 6, 5, 1)


def test_draws_of_one_code_differ_and_codes_decide_their_mean():
  vlae = toys.small_model()
  images = toys.binary_images(3)
  draws = sampling.decompress(vlae, images, draws=400)
  assert draws.shape == (400, 3, 6, 5, 1)
  # The first pixel depends on the code alone: its frequency is its law's mean.
  z, _ = sampling._codes(vlae, images, 0)
  law = vlae.likelihood(z).conditionals(images)
  mean = law.mean().numpy()[:, 0, 0, 0]
  error = np.sqrt(mean * (1 - mean) / 400)
  assert (np.abs(draws[:, :, 0, 0, 0].mean(0) - mean) < 4 * error).all()
