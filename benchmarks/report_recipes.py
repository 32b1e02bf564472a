"""The log of experiments as Markdown, from `results/recipes.json`."""

import json
import pathlib

from vlae_tf.models import config as config_lib

_PATH = pathlib.Path(__file__).resolve().parent.parent / 'results/recipes.json'
_HEADS = (
  'run',
  'flags',
  'steps',
  'minutes',
  'best: -ELBO',
  'KL',
  'at step',
  'last: -ELBO',
  'KL',
  'training: -ELBO',
  'what it tells',
)
_HEAD = """\
# Recipes that were tried

Each line is a run of the paper's model on the training images alone, scored by
its validation images, a code each: nats an image, averaged weights. `training`
is the bound on the images that it was trained on, with the weights of the
moment, over the last part of the run. What is chosen here is what
`flags/` says, and is then trained on training and validation images for the
tables; test images had no part in it. One thing is changed at a time."""


def render():
  """The tables, one for each data set."""
  lines = json.loads(_PATH.read_text(encoding='utf-8'))
  parts = [_HEAD]
  for dataset in dict.fromkeys(line['dataset'] for line in lines):
    rows = [_HEADS, ['---'] * len(_HEADS)]
    rows += [_row(line) for line in lines if line['dataset'] == dataset]
    table = '\n'.join(f'| {" | ".join(row)} |' for row in rows)
    parts.append(f'## {dataset}\n\n{table}')
  return '\n\n'.join(parts) + '\n'


def _row(line):
  best, last = line['best'], line['last']
  training = line['training']
  return [
    f'`{line["name"]}`',
    ' '.join(
      f'`{config_lib.as_arg(*item)}`' for item in line['changes'].items()
    ),
    f'{line["steps"]:,}',
    f'{line["minutes"]:.0f}',
    f'{best["elbo"]:.2f}',
    f'{best["rate"]:.2f}',
    f'{best["step"]:,}',
    f'{last["elbo"]:.2f}',
    f'{last["rate"]:.2f}',
    '' if training is None else f'{training:.2f}',
    line['remark'],
  ]
