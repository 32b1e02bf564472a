"""Records of runs that never were."""

import dataclasses

from vlae_tf.models import config as config_lib
from vlae_tf.reproduction import records


def score(nll=80.0, images=100, codes=128, **changes):
  """A score as `evaluate` writes it, of a gap of one nat and a rate of ten."""
  return {
    'nll': nll,
    'nll_stderr': 0.25,
    'elbo': -nll - 1.0,
    'elbo_stderr': 0.5,
    'rate': 10.0,
    'num_images': images,
    'num_samples': codes,
    'split': 'test',
    'seed': 0,
    'checkpoint': 'last',
    'step': 600,
  } | changes


def record(name, *scores, **changes):
  """A record of a finished run of one epoch, with changes."""
  config = changes.pop('config', {})
  fields = dict(
    name=name,
    preset='final',
    flags=['--seed=1'],
    started_from=None,
    config=dataclasses.asdict(config_lib.Config(**config)),
    differences=dict(seed=1),
    data=dict(
      training_images=60_000, test_images=100, kind='binary', sha256='a'
    ),
    finished=True,
    steps=600,
    steps_planned=600,
    epochs=1.0,
    epochs_planned=1.0,
    minutes=12.4,
    images_per_s=80.6,
    environment=dict(cpu='a CPU', cores=2, git_commit='0123456789abcdef-dirty'),
    weights=1_234_567,
    active_units=7,
    curve=dict(train=[[0.5, -90.0, 10.0]]),
    scores=list(scores),
    corrected=None,
  )
  return records.Record(**(fields | changes))
