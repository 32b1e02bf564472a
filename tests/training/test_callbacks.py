"""What looks at training never ends it, and loses nothing of the user's."""

import errno
import json
import pathlib
import types

import pytest
import tensorflow as tf
import toys

from vlae_tf.training import callbacks

SCALARS = {'elbo': -1.0, 'rate': 0.5}


def _trainer():
  model = types.SimpleNamespace(trainable_variables=[])
  return types.SimpleNamespace(
    config=toys.small_config(), averages=model, code=None
  )


def _tensorboard(folder):
  return callbacks.TensorBoardLog(folder, _trainer(), images=[])


def _told(callback, **params):
  """Takes a callback through a short training."""
  callback.set_params({'initial': 0, 'steps': 2, **params})
  callback.on_train_begin()
  callback.on_train_batch_end(1, SCALARS)
  callback.on_train_batch_end(2, SCALARS)
  callback.on_epoch_end(2, {f'val_{n}': v for n, v in SCALARS.items()})
  callback.on_train_end()


def _warning(capsys):
  (line,) = capsys.readouterr().err.splitlines()
  return line


def test_metrics_that_are_no_text_are_set_aside(tmp_path, capsys):
  path = tmp_path / 'metrics.jsonl'
  path.write_bytes(b'\xff\xfe\x00mine')
  _told(callbacks.MetricsLog(tmp_path))
  assert 'metrics.jsonl.aside-1' in _warning(capsys)
  assert (tmp_path / 'metrics.jsonl.aside-1').read_bytes() == (
    b'\xff\xfe\x00mine'
  )
  assert len(path.read_text().splitlines()) == 3


def test_a_directory_in_the_place_of_metrics_is_set_aside(tmp_path, capsys):
  (tmp_path / 'metrics.jsonl').mkdir()
  (tmp_path / 'metrics.jsonl/mine').touch()
  _told(callbacks.MetricsLog(tmp_path))
  assert 'is now' in _warning(capsys)
  assert (tmp_path / 'metrics.jsonl.aside-1/mine').exists()
  assert (tmp_path / 'metrics.jsonl').is_file()


def test_a_file_in_the_place_of_logs_is_set_aside(tmp_path, capsys):
  (tmp_path / 'logs').write_text('mine')
  _told(_tensorboard(tmp_path))
  assert 'is now' in _warning(capsys)
  assert (tmp_path / 'logs.aside-1').read_text() == 'mine'
  assert list((tmp_path / 'logs').glob('events*'))


def test_a_full_disk_costs_metrics_and_one_warning(
  tmp_path, capsys, monkeypatch
):
  def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, 'No space left on device')

  log = callbacks.MetricsLog(tmp_path)
  monkeypatch.setattr('builtins.open', full)
  _told(log)
  monkeypatch.undo()
  assert 'No space left' in _warning(capsys)


def test_errors_of_tensorflow_cost_logs_and_one_warning(
  tmp_path, capsys, monkeypatch
):
  class Full:
    def as_default(self, step):
      raise tf.errors.ResourceExhaustedError(None, None, 'disk\nfull')

    close = as_default

  monkeypatch.setattr(tf.summary, 'create_file_writer', lambda path: Full())
  _told(_tensorboard(tmp_path))
  assert _warning(capsys).endswith('logs: disk. Training goes on.')


@pytest.mark.parametrize('curve', ['validation', 'validation_trained_on'])
def test_the_curve_is_called_what_it_is(tmp_path, capsys, curve):
  _told(callbacks.MetricsLog(tmp_path), validation=curve)
  _told(_tensorboard(tmp_path), validation=curve)
  _told(callbacks.Progress(batch_size=8), validation=curve)
  lines = pathlib.Path(tmp_path / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['split'] for line in lines][-1] == curve
  (events,) = (tmp_path / 'logs').glob('events*')
  assert f'{curve}/elbo_nats'.encode() in events.read_bytes()
  shown = capsys.readouterr().err
  assert f'step 2: {curve.replace("_", " ")} ELBO' in shown


@pytest.mark.parametrize('name', ['a[1]', 'caf\udce9'])
def test_logs_are_written_to_a_directory_of_any_name(tmp_path, capsys, name):
  _told(_tensorboard(tmp_path / name))
  assert list((tmp_path / name / 'logs').glob('events*'))
  assert capsys.readouterr().err == ''
