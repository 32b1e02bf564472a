"""Saving and restoring the state of a run.

A checkpoint holds the model, its averaged weights and the optimiser, whose
step decides every random number to come. TensorFlow writes a checkpoint under
another name and renames it, so the last good one stays whatever happens.
"""

import pathlib

import tensorflow as tf


class Checkpoints:
  """The checkpoints of a working directory."""

  def __init__(self, workdir, *, averages, model=None, optimizer=None, keep=2):
    """Looks at a directory; writes nothing.

    Args:
      workdir: Directory of the run.
      averages: Built `VLAE` that holds the averaged weights.
      model: Built `VLAE`, or `None` to read the averages alone.
      optimizer: Built Keras optimiser, or `None` to read the averages alone.
      keep: How many checkpoints to keep.
    """
    self._directory = pathlib.Path(workdir) / 'checkpoints'
    # Keras's own tracking also follows metrics and losses; the weights in the
    # order of their creation are all there is to save.
    items = {'averages': averages, 'model': model, 'optimizer': optimizer}
    self._checkpoint = tf.train.Checkpoint(
      **{
        name: _Variables(item.variables)
        for name, item in items.items()
        if item is not None
      }
    )
    self._manager = tf.train.CheckpointManager(
      self._checkpoint, str(self._directory), max_to_keep=keep
    )

  @property
  def latest_step(self):
    """The step of the newest checkpoint, or `None`."""
    latest = self._manager.latest_checkpoint
    return None if latest is None else int(latest.rsplit('-', 1)[1])

  def save(self, step):
    """Writes a checkpoint.

    Args:
      step: Python integer.

    Raises:
      ValueError: The disk does not take it.
    """
    if step == self.latest_step:
      return
    try:
      self._manager.save(checkpoint_number=step)
    except (OSError, tf.errors.OpError) as error:
      raise ValueError(
        f'Cannot write a checkpoint to {self._directory}: {error}. '
        'The last good one is kept.'
      ) from error

  def restore(self):
    """Reads the newest checkpoint.

    Returns:
      Its step, or `None` where there is none.

    Raises:
      ValueError: It cannot be read.
    """
    latest = self._manager.latest_checkpoint
    if latest is None:
      return None
    try:
      status = self._checkpoint.restore(latest)
      status.assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
      reason = str(error).splitlines()[0]
      raise ValueError(f'Cannot read checkpoint {latest}: {reason}') from error
    return self.latest_step


class _Variables(tf.Module):
  """A list of Keras variables as TensorFlow sees them."""

  def __init__(self, variables):
    super().__init__()
    self.values = [v.value for v in variables]
