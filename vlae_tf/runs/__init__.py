"""The directory of a run."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)
