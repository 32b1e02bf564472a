"""The training engine."""

from vlae_tf.system import keras_backend  # noqa: F401  # isort: skip (checks)
