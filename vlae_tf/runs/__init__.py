"""Runs: directories, checkpoints, records, and loading of trained models."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)
