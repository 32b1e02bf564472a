"""Runs that never were, as a report reads them."""

import base64
import types

import numpy as np

from vlae_tf import data as data_lib
from vlae_tf.evaluation import latents, likelihood, receptive_field
from vlae_tf.models import config as config_lib
from vlae_tf.reporting import run_results
from vlae_tf.runs import loading

_SHAPE, _CODE = (28, 28, 1), 8


def svg(chart):
  """The drawing of a `Chart`."""
  kind, _, content = chart.source.partition(',')
  assert kind == 'data:image/svg+xml;base64'
  return base64.b64decode(content).decode('utf-8')


def of_run(name, has_latent=True):
  """A `RunResults` of random numbers and images."""
  rng = np.random.default_rng(len(name))

  def images(*shape):
    return rng.integers(0, 2, (*shape, *_SHAPE)).astype('float32')

  def chosen():
    draws = images(8) if has_latent else None
    return run_results.Chosen(
      np.arange(8), rng.uniform(80, 99, 8), images(8), draws
    )

  field = receptive_field.ReceptiveField(((-1, -1), (-1, 0), (-1, 1), (0, -1)))
  use = latents.CodeUse(rng.random(_CODE), rng.random(_CODE))
  columns = (rng.uniform(80, 99, 12) for _ in likelihood.Estimates._fields)
  outputs = run_results.Outputs(
    samples=images(64),
    originals=images(16),
    draws=images(6, 16) if has_latent else None,
    completions=images(4, 8),
    field=field,
    num_read=12,
    use=use if has_latent else None,
    mean_nats=rng.random((28, 28)),
    nats=rng.random((16, 28, 28)),
    scored=likelihood.Estimates(*columns),
    best=chosen(),
    worst=chosen(),
  )
  return _results(name, has_latent, rng, outputs)


def _results(name, has_latent, rng, outputs):
  test = rng.integers(0, 2, (12, *_SHAPE)).astype(bool)
  data = data_lib.ImageData('omniglot', test, test, test)
  model = types.SimpleNamespace(event_shape=(_CODE * has_latent,))
  config = config_lib.Config(latent_size=_CODE * has_latent)
  run = loading.Run(config, model, 300, _SHAPE, None, 'f' * 64, 'last')
  log = [
    dict(step=step, time=step, split=split, elbo=-90.0 - rng.random(), rate=9.0)
    for step in range(1, 301)
    for split in ('train', 'validation')
  ]
  facts = {'minutes': 12.0, 'environment': {'tensorflow': '2'}}
  return run_results.RunResults(
    f'runs/{name}', name, run, data, facts, log, [], [], outputs
  )
