"""What everything registered computes from numbers that are formulas.

No random generator is asked, of whatever version: weights, images, codes and
noise are sines of their places.
"""

import dataclasses
import json

import numpy as np
import source_tree
import tensorflow as tf

from conformance import cases
from vlae_tf.distributions import reparameterized
from vlae_tf.models import (
  architectures,
  decoders,
  objectives,
  posteriors,
  priors,
  schedules,
)
from vlae_tf.models.objectives import Terms

PATH = source_tree.ROOT / 'tests' / 'conformance' / 'goldens.json'
_SIZE = (3, 4)


def sines(*shape, phase=0.0):
  """Numbers in (-1, 1) by formula, float32."""
  place = np.arange(np.prod(shape, dtype=int)).reshape(shape)
  return np.sin(0.7 * place + phase + 1).astype('float32')


def between_zero_and_one(*shape, phase=0.0):
  """Numbers in (0, 1) by formula."""
  return 0.5 + 0.49 * sines(*shape, phase=phase)


def give_weights(layer):
  """Gives a layer weights by formula."""
  for k, weight in enumerate(layer.variables):
    # Gains are near one, whatever else is near zero.
    values = 0.3 * sines(*weight.shape, phase=k) + (weight.name == 'gain')
    weight.assign(values)
  return layer


def _decoder(case):
  network = decoders.NETWORKS[case.decoder](case, 2)
  maps = case.decoder_features if case.latent_size else 0
  network.build((None, *_SIZE, 1), (None, *_SIZE, maps))
  image = between_zero_and_one(1, *_SIZE, 1)
  return give_weights(network)(image, sines(1, *_SIZE, maps, phase=2))


def _event_shape(case):
  return architectures.event_shape(case, (*_SIZE, 1))


def _encoder(case):
  networks = architectures.create(case)
  encoder = networks.encoder(case)
  encoder.build((None, *_SIZE, 1))
  generator = networks.generator(case, _SIZE)
  generator.build((None, *_event_shape(case)))
  code = sines(2, *_event_shape(case), phase=1)
  return (
    give_weights(encoder)(between_zero_and_one(2, *_SIZE, 1)),
    give_weights(generator)(code),
  )


def _prior(case):
  prior = priors.create(case, _event_shape(case))
  prior.build()
  give_weights(prior)
  code = reparameterized.draw(prior(), 2 * sines(2, *prior.event_shape))
  return *code, prior().log_prob(sines(2, *prior.event_shape, phase=3))


def _posterior(case):
  posterior = posteriors.create(case, _event_shape(case))
  posterior.build((None, *_SIZE, 1))
  law = give_weights(posterior)(between_zero_and_one(2, *_SIZE, 1))
  return reparameterized.draw(law, sines(2, *posterior.event_shape))


def _pixel_distribution(case):
  law, channels = cases.pixel_distribution(case), cases.channels(case)
  params = 3 * sines(5, law.num_params(channels))
  uniforms = between_zero_and_one(5, law.num_uniforms(channels), phase=4)
  drawn = law.quantile(params, uniforms)
  return drawn, law.distribution(params).log_prob(drawn)


def _objective(case):
  objective = objectives.create(case, cases.IMAGE_SHAPE)
  shape = (objective.num_samples, 6)[objective.num_samples == 1 :]
  found = []
  # Under a floor of a tenth of a nat, and above.
  for rate in (0.05, 3.0):
    terms = Terms(
      tf.constant(5 + sines(*shape)), tf.constant(rate + 0.01 * sines(*shape))
    )
    mean = tf.constant(rate)
    found += [*objective.parts(terms), objective.bound(terms)]
    for step in (3, 20):
      found += [objective.loss(terms, step), objective.rate_weight(mean, step)]
    objective.update(mean)
  return found


def _schedule(case):
  schedule = schedules.create(case, 100)
  steps = (0, 40, 70, 99, 100)
  return [schedule(s) if callable(schedule) else schedule for s in steps]


# For each field of a config that names something registered: what it computes.
_COMPUTE = {
  'encoder': _encoder,
  'decoder': _decoder,
  'prior': _prior,
  'posterior': _posterior,
  'pixel_distribution': _pixel_distribution,
  'objective': _objective,
  'learning_rate_schedule': _schedule,
}


def _cases(field):
  """The configs of a field, each name in one of them at least."""
  if field == 'decoder':
    # Their law is of no matter here. Layers between the first and the last are.
    same = dict(
      pixel_distribution=cases.config().pixel_distribution, decoder_depth=4
    )
    found = [dataclasses.replace(c, **same) for c in cases.network_configs()]
  elif field == 'objective':
    found = cases.of_each(field) + cases.of_each(field, kl_warmup_steps=10)
  else:
    found = cases.of_each(field)
  return dict.fromkeys(found)


def all_cases():
  """Names of goldens, and for each of them its field and its config."""
  return {
    f'{field}={getattr(case, field)}: {cases.label(case)}': (field, case)
    for field in cases.registries()
    for case in _cases(field)
  }


def compute(field, case):
  """The numbers of a case, a list; a `KeyError` for a field without any."""
  parts = tf.nest.flatten(_COMPUTE[field](case))
  flat = [np.ravel(np.asarray(part, 'float64')) for part in parts]
  return [float(f'{x:.8g}') for x in np.concatenate(flat)]


def recorded():
  """The numbers of all cases as they were recorded."""
  return json.loads(PATH.read_text(encoding='utf-8'))


def updated():
  """The text of the file with the numbers as they are."""
  found = {key: compute(*case) for key, case in sorted(all_cases().items())}
  rows = [f'  {json.dumps(k)}: {json.dumps(v)}' for k, v in found.items()]
  return '{\n' + ',\n'.join(rows) + '\n}\n'
