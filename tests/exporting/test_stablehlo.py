"""Lowered computations give the results of the model."""

import json

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.evaluation import latents
from vlae_tf.exporting import stablehlo

_OTHER = pytest.mark.exhaustive('another precision')


@pytest.mark.parametrize(
  'precision', ['float32', pytest.param('mixed_bfloat16', marks=_OTHER)]
)
def test_frozen_computations_are_the_models(precision):
  model = toys.small_model(**toys.SMALLEST, precision=precision)
  images = tf.constant(toys.binary_images(3))
  noise = tf.random.stateless_normal([3, 4], [1, 2])
  terms = model(images, noise)
  expected = {
    'encode': latents.encode(model, images)._asdict(),
    'elbo': dict(elbo=terms.elbo, rate=terms.rate, distortion=terms.distortion),
  }
  given = {'images': images, 'noise': noise}
  for name, compute in stablehlo._COMPUTATIONS.items():
    function, specs, outputs = stablehlo._frozen(model, compute, 3)
    assert not function.captured_inputs
    found = function(*(given[spec.name] for spec in specs))
    for key, value in zip(outputs, found, strict=True):
      tolerance = 1e-5 if precision == 'float32' else 0.02
      np.testing.assert_allclose(
        value, expected[name][key], rtol=tolerance, atol=tolerance
      )


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
  def full(*args):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(stablehlo, '_lowered', full)
  with pytest.raises(ValueError, match='No space left'):
    stablehlo.write(toys.small_model(**toys.SMALLEST), tmp_path / 'a')
  assert not list(tmp_path.iterdir())


def test_inputs_and_outputs_are_told_in_their_order(tmp_path):
  stablehlo.write(toys.small_model(**toys.SMALLEST), tmp_path / 'a', 2)
  told = json.loads((tmp_path / 'a' / 'signatures.json').read_text())
  assert list(told['elbo']['inputs']) == ['images', 'noise']
  assert told['elbo']['outputs'] == ['distortion', 'elbo', 'rate']
  assert told['encode']['outputs'] == ['eps', 'mean', 'stddev']


def test_there_must_be_an_image(tmp_path):
  with pytest.raises(ValueError, match='`batch_size` must be at least 1'):
    stablehlo.write(toys.small_model(**toys.SMALLEST), tmp_path / 'a', 0)
