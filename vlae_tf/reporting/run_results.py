"""Runs as a report shows them: their records, and outputs of their models."""

import contextlib
import math
import os
import pathlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vlae_tf import data as data_lib
from vlae_tf.compression import size_report
from vlae_tf.evaluation import (
  latents,
  likelihood,
  probing,
  receptive_field,
  sampling,
)
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.runs import loading, records
from vlae_tf.utils import console, json_files, presets

_DRAWS, _COMPLETED = 6, 4
_SAMPLES, _SHOWN, _ENDS, _MAPPED = 64, 16, 8, 500
STEPS = 6  # Calls of `progress` per run.


class Chosen(NamedTuple):
  """Some test images."""

  numbers: np.ndarray  # Their indices, [num].
  distortions: np.ndarray  # In nats, [num].
  images: np.ndarray  # [num, height, width, channels].
  draws: np.ndarray | None  # A reconstruction of each; `None` without latents.


class Outputs(NamedTuple):
  """Outputs of a model; images are [num, height, width, channels] in [0, 1]."""

  samples: np.ndarray  # From the prior.
  originals: np.ndarray  # Test images from all over.
  # Reconstructions of `originals`, [draws, num, ...]; `None` without latents.
  draws: np.ndarray | None
  # Of the first originals, from their upper halves, [draws, num, ...].
  completions: np.ndarray
  # `None` for a custom likelihood, as are `nats` and `mean_nats`.
  field: receptive_field.ReceptiveField | None
  num_read: int  # Number of test images behind `use` and `mean_nats`.
  use: latents.CodeUse | None  # `None` without latents.
  # -log p of the pixels of `originals`, summed over channels, [num, height,
  # width], and its mean over test images.
  nats: np.ndarray | None
  mean_nats: np.ndarray | None
  scored: likelihood.Estimates  # Of test images, one sample each.
  best: Chosen  # Of least distortion, the least first.
  worst: Chosen  # Of most distortion, the most first.


class RunResults(NamedTuple):
  """A run of a report."""

  workdir: str  # As the user wrote it.
  name: str  # Unique on the page.
  loaded: loading.Run
  data: data_lib.ImageData  # That it was trained on.
  facts: Mapping[str, Any]  # Of `Run.about`.
  log: list[dict[str, Any]]  # Of `records.read_log`.
  probes: list[dict[str, Any]]  # Written by `probe`, of these weights.
  codecs: list[dict[str, Any]]  # Written by `compress --report`.
  outputs: Outputs

  @property
  def steps_per_epoch(self) -> float:
    """Steps of a pass over the training images."""
    num = len(self.data.split(self.loaded.config.train_on))
    return num / self.loaded.config.batch_size

  @property
  def has_latent(self) -> bool:
    return bool(math.prod(self.loaded.model.event_shape))

  @property
  def nll(self) -> Mapping[str, Any] | None:
    """The fullest score of the test images that estimates the NLL."""
    found = self._test_scores()
    if self.has_latent:
      found = [s for s in found if s['num_samples'] > 1]
    return next(iter(found), None)

  @property
  def score(self) -> Mapping[str, Any]:
    """The fullest score of the test images; by the report's own if none."""
    best = self.nll or next(iter(self._test_scores()), None)
    return best or self.outputs.scored.summary(self.loaded.image_shape)

  def _test_scores(self):
    every = self.facts.get('scores') or []
    found = [s for s in every if s.get('split', 'test') == 'test']
    return sorted(found, key=records.fullness, reverse=True)


def read(
  workdirs: Sequence[str],
  checkpoint: str | None = None,
  data_dir: str | None = None,
  num_scored: int = 1000,
  seed: int = 0,
  progress: Callable[[int], Any] = lambda _: None,
) -> list[RunResults]:
  """Reads runs and computes outputs of their models."""
  places = [os.path.realpath(w) for w in workdirs]
  if len(set(places)) < len(places):
    raise ValueError(
      f'`workdir` must name each run once, got {", ".join(workdirs)}.'
    )
  names = [str(loading.name_of(w)) for w in workdirs]
  if len(set(names)) < len(names):
    names = list(workdirs)
  found = []
  for workdir, name in zip(workdirs, names):
    loaded = loading.restore(workdir, checkpoint)
    data = loaded.images(data_dir)
    folder = pathlib.Path(workdir) / records.SCORES
    probes = _files(folder, 'probe*.json', probing.FORM)
    found.append(
      RunResults(
        workdir,
        name,
        loaded,
        data,
        loaded.about(),
        records.read_log(workdir),
        [p for p in probes if p['step'] == loaded.step],
        _files(folder, '*.json', size_report.FORM),
        compute(loaded.model, data, num_scored, seed, progress),
      )
    )
  return found


def _files(folder, pattern, form):
  """Contents of the files of a folder that have a form."""
  found = []
  for file in sorted(folder.glob(pattern)):
    try:
      content = json_files.read(file)
    except ValueError as error:
      console.warn(f'a file is ignored. {error}')
      continue
    with contextlib.suppress(ValueError):  # Other commands write here, too.
      json_files.check(content, form)
      found.append(content)
  return found


def compute(
  model: model_lib.VLAE,
  data: data_lib.ImageData,
  num_scored: int,
  seed: int = 0,
  progress: Callable[[int], Any] = lambda _: None,
) -> Outputs:
  """Computes outputs of a model; `progress(1)` is called `STEPS` times."""
  images = data_lib.fixed_binarization(data.test, 'test', kind=data.kind)
  numbers = _spread(len(images), num_scored)
  images = images[numbers]
  stored, kind = data.test[numbers], data.kind
  if kind == 'grey':
    stored, kind = images.astype(bool), 'binary'
  originals = images[_spread(len(images), _SHOWN)]
  seen = _spread(len(images), _MAPPED)

  scored = likelihood.Evaluator(model, 1, seed)(stored, kind=kind)
  ends = _ends(scored.distortion)
  progress(1)

  use, shown = None, [originals, *(images[end] for end in ends)]
  drawn: Sequence[np.ndarray | None] = [None] * len(shown)
  if math.prod(model.event_shape):
    drawn = _decompressed(model, shown, seed)
    use = latents.CodeProbe(model, seed)(stored[seen], 'test', kind=kind)
  best, worst = (
    Chosen(
      numbers[end],
      scored.distortion[end],
      images[end],
      None if draws is None else draws[0],
    )
    for end, draws in zip(ends, drawn[1:])
  )
  progress(1)

  samples = sampling.sample_prior(model, _SAMPLES, seed)
  progress(1)
  completions = _completed(model, originals[:_ENDS], seed)
  progress(1)
  nats, mean_nats = _nats(model, originals, images[seen], seed)
  progress(1)
  field = _field(model)
  progress(1)
  return Outputs(
    samples,
    originals,
    drawn[0],
    completions,
    field,
    len(seen),
    use,
    nats,
    mean_nats,
    scored,
    best,
    worst,
  )


def _ends(distortion):
  """Indices of the images of the least and of the most distortion."""
  order = np.argsort(distortion, kind='stable')
  num = min(_ENDS, len(order) // 2)
  return order[:num], order[::-1][:num]


def _decompressed(model, groups, seed):
  """Draws `[_DRAWS, num, ...]` for groups of images, all compiled once."""
  drawn = sampling.decompress(model, np.concatenate(groups), _DRAWS, seed)
  return np.split(drawn, np.cumsum([len(g) for g in groups[:-1]]), axis=1)


def _completed(model, images, seed):
  """Completions of the upper halves of images."""
  height, width = images.shape[1:3]
  given = height // 2 * width
  return sampling.complete(model, images, given, _COMPLETED, seed)


def _nats(model, images, others, seed):
  """Nats of each pixel of images, and the mean over other images."""
  nats = sampling.pixel_nats(model, np.concatenate([images, others]), seed)
  if nats is None:
    return None, None
  return nats[: len(images)], nats[len(images) :].mean(0)


def _field(model):
  network = getattr(model.likelihood, 'network', None)
  if isinstance(network, causal_network.CausalNetwork):
    return receptive_field.find(network)
  return None


def _spread(there, num):
  """Indices from all over: data sets are sorted."""
  return np.unique(np.linspace(0, there - 1, min(there, num)).astype(int))


def origin(
  config: config_lib.Config,
) -> tuple[str | None, dict[str, tuple[Any, Any]]]:
  """The closest preset, and by field its value and the config's that differ.

  >>> origin(config_lib.from_args(['--preset=omniglot', '--seed=7']))
  ('omniglot', {'seed': (0, 7)})
  """
  found = []
  for name in (None, *presets.names()):
    preset = config_lib.from_preset(name) if name else config_lib.Config()
    pairs = {f: (value, vars(config)[f]) for f, value in vars(preset).items()}
    found.append((name, {f: p for f, p in pairs.items() if p[0] != p[1]}))
  return min(found, key=lambda pair: len(pair[1]))


def commands(run: RunResults) -> list[str]:
  """Shell commands that repeat a run and its scores."""
  preset, differences = origin(run.loaded.config)
  args = [] if preset is None else [f'--preset={preset}']
  args += [
    config_lib.as_arg(name, value) for name, (_, value) in differences.items()
  ]
  own = f'--workdir={run.workdir}'
  lines = [shlex.join(['python', '-m', 'vlae_tf.train', *args, own])]
  for score in run.facts.get('scores') or []:
    split = score.get('split') or 'test'
    args = [f'--split={split}', f'--num_samples={score["num_samples"]}']
    if score['num_images'] < len(run.data.split(split)):
      args.append(f'--max_images={score["num_images"]}')
      args += ['--spread'] if score.get('spread') else []
    lines.append(shlex.join(['python', '-m', 'vlae_tf.evaluate', own, *args]))
  return lines
