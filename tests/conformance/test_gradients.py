"""Every weight, and every feature of a code, moves what is minimised."""

import dataclasses

import numpy as np
import tensorflow as tf

from conformance import cases
from vlae_tf.models import objectives


def check_gradients(layer, gradients):
  """Checks that no weight of a layer or model is without gradient."""
  weights = layer.trainable_variables
  assert weights
  for weight, gradient in zip(weights, gradients, strict=True):
    assert gradient is not None, weight.path
    assert np.isfinite(gradient).all(), weight.path
    assert np.any(gradient), weight.path


@cases.each_network
def test_every_weight_and_every_feature_reaches_the_parameters(case):
  network = cases.shared_network(case)
  image = cases.images(case, 2, *cases.IMAGE_SHAPE)
  features = tf.convert_to_tensor(cases.features(case, 2, 3, 4))
  with tf.GradientTape() as tape:
    tape.watch(features)
    loss = tf.reduce_sum(network(image, features) ** 2)
  sources = [features, *network.trainable_variables]
  of_features, *gradients = tape.gradient(loss, sources)
  check_gradients(network, gradients)
  assert case.latent_size == 0 or np.all(of_features)


@cases.each_model
def test_every_weight_of_a_model_reaches_the_objective(case):
  model = cases.shared_model(case)
  image = cases.images(case, 5, *cases.IMAGE_SHAPE)
  # So low that no rate is below: under a floor nothing moves the prior.
  low = dataclasses.replace(case, free_bits=1e-3)
  objective = objectives.create(low, cases.IMAGE_SHAPE)
  with tf.GradientTape() as tape:
    terms = model(image, cases.noise(model, 5))
    loss = objective.loss(terms, 7)
  check_gradients(model, tape.gradient(loss, model.trainable_variables))
