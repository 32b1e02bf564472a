"""Writes `docs/results.md`, `docs/recipes.md` and README's table of results.

`python benchmarks/report.py`; a test compares them. The text is in
`templates/`; the numbers are from files in `results/` that `evaluate`, `train`
and the benchmarks wrote.
"""

import itertools
import json
import math
import pathlib
import textwrap

import jinja2

from vlae_tf.data import sources
from vlae_tf.evaluation import anomaly, probing
from vlae_tf.models import config as config_lib
from vlae_tf.reproduction import experiments, records, tables
from vlae_tf.runs import records as run_records

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'results'
BEGIN, END = '<!-- results -->', '<!-- end of results -->'
_PAGES = {
  'README.md': 'readme.md.jinja',
  'docs/results.md': 'results.md.jinja',
  'docs/recipes.md': 'recipes.md.jinja',
}


def pages():
  """By page, the text between the markers."""
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / 'templates'),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= {
    'epochs': tables.epochs,
    'f': format,
    'fill': _fill,
    'groups': _groups,
    'part': lambda score: tables.part(score, score['num_images']),
    'percent': probing.percent,
    'quantities': _quantities,
    'range': _range,
    'ratio': _ratio,
    'two_digits': _two_digits,
  }
  environment.globals |= {
    'as_arg': config_lib.as_arg,
    'colour_scores': _colour_scores,
    'models': _models(),
    'read': lambda name: json.loads(_text(name)),
    'scores': anomaly.SCORES,
    'text': _text,
  }
  return {
    page: '\n\n'.join(
      [BEGIN, environment.get_template(template).render().strip(), END]
    )
    for page, template in _PAGES.items()
  }


def _text(name):
  return (RESULTS / name).read_text(encoding='utf-8').strip()


def _fill(text):
  return textwrap.fill(text.strip(), 80, break_on_hyphens=False)


def _groups(lines, key):
  """Lines by the value of a key, in the order of their first ones."""
  order = list(dict.fromkeys(line[key] for line in lines))
  lines = sorted(lines, key=lambda line: order.index(line[key]))
  return [
    (value, list(group))
    for value, group in itertools.groupby(lines, lambda line: line[key])
  ]


def _range(values, spec='.2f'):
  low, high = values
  return f'{low:{spec}} - {high:{spec}}'


def _two_digits(value):
  return f'{value:.{max(0, 1 - math.floor(math.log10(value)))}f}'


def _ratio(values):
  spec = '.2f' if values['median'] < 10 else '.0f'
  low_high = _range((values['low'], values['high']), spec)
  return f'{values["median"]:{spec}} ({low_high})'


def _models():
  """The model of each data set: title, the paper's NLL, our `Record`."""
  found = []
  for table in experiments.plan().tables:
    if table.name in experiments.NUMBERS.values():
      row = table.row('VLAE')
      record = records.read(ROOT, row.experiment)
      assert record is not None and record.nll and record.bound, row.experiment
      found.append((table.title, row.nll, record))
  return found


def _quantities(record):
  """Results of a model, by the name of the line."""
  nll, bound = record.nll, record.bound
  dims = math.prod(sources.image_shape(record.config['dataset']))
  return {
    '-ELBO, nats': tables.score_text(bound, '-elbo'),
    'KL, nats': f'{bound["rate"]:.2f}',
    'KL, bits': f'{bound["rate_bits"]:.2f}',
    'distortion, nats': f'{bound["distortion"]:.2f}',
    'NLL, nats': tables.score_text(nll, 'nll'),
    'importance samples': f'{nll["num_samples"]:,}',
    'NLL, bits/dim': f'{nll["nll"] / math.log(2) / dims:.4f}',
    'active latent dimensions': f'{record.active_units} of '
    f'{record.config["latent_size"]}',
    'epochs': tables.epochs(record),
    'steps': tables.steps(record),
  }


def _colour_scores(name):
  """-ELBO, rate in nats and bits/dim, and NLL of a run on CIFAR-10."""
  folder = RESULTS / 'cifar10' / name
  found = run_records.read_scores(folder) if folder.is_dir() else []
  if not found:
    return 'not measured', '', '', ''
  full = max(found, key=lambda score: score['num_images'])
  part = max(found, key=lambda score: score['num_samples'])
  unit = full['elbo_bits_per_dim'] / -full['elbo']
  nll = 'not measured'
  if part['num_samples'] > 1:
    nll = (
      f'{part["bits_per_dim"]:.4f} +- {unit * part["nll_stderr"]:.4f} '
      f'({part["num_samples"]} samples, {part["num_images"]:,} images)'
    )
  return (
    f'{full["elbo_bits_per_dim"]:.4f} +- {unit * full["elbo_stderr"]:.4f} '
    f'({full["num_images"]:,} images)',
    f'{full["rate"]:.1f}',
    f'{full["rate_bits_per_dim"]:.4f}',
    nll,
  )


def main():
  for page, rendered in pages().items():
    path = ROOT / page
    text = path.read_text(encoding='utf-8')
    before, rest = text.split(BEGIN)
    after = rest.split(END)[-1] if END in rest else rest
    path.write_text(before + rendered + after, encoding='utf-8')


if __name__ == '__main__':
  main()
