"""Layers of causal networks that say what they compute as nodes."""

import functools
from collections.abc import Callable
from typing import Any

import keras


def in_own_scope(describe: Callable[..., Any]) -> Callable[..., Any]:
  """Decorates a layer's `describe`, which makes its sublayers and its nodes."""
  # What is made gets the layer's name before its own, and the layer is built,
  # as if `build` had made it.

  @functools.wraps(describe)
  def described(layer, *args, **kwargs):
    with keras.name_scope(layer.name):
      outputs = describe(layer, *args, **kwargs)
    layer.built = True
    return outputs

  return described
