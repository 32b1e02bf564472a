"""Which of our experiments stands for which row and figure of the paper.

A new row is a line in `_ROWS`, and one in `experiments` if none of those does.
"""

import dataclasses
from collections.abc import Sequence

from vlae_tf.reproduction import experiments, paper
from vlae_tf.reproduction.experiments import Experiment
from vlae_tf.utils import registry

# The paper's numbers for its tables.
NUMBERS = {'1': 'static_mnist', '2': 'dynamic_mnist', '3': 'omniglot'}
NUMBERS |= {'4': 'caltech101'}
SMOKE = 'smoke'


@dataclasses.dataclass(frozen=True)
class Row:
  """A row of a table: what the paper has, and what we measure for it."""

  published: paper.Published  # As in the paper; of a row of ours alone, a name.
  experiment: str | None = None  # Name of the experiment, or `None`.
  why_not: str = ''  # Why there is none, of a row of the paper's own.


@dataclasses.dataclass(frozen=True)
class Table:
  """A table: rows, and which of them others are compared with."""

  name: str  # A short name, as for `--table`.
  title: str  # What it is of.
  where: str  # Where the paper has it.
  rows: tuple[Row, ...]  # `Row`s.
  reference: str | None = None  # See `paper.PublishedTable`.


@dataclasses.dataclass(frozen=True)
class Figure:
  """A figure: test images beside decompressions."""

  name: str  # Its number in the paper.
  title: str  # What it is of.
  experiment: str  # Whose codes are decompressed.
  # Another experiment on the same images, shown if it was run.
  beside: str | None = None
  samples: bool = False  # Whether samples of the prior are shown as well.


@dataclasses.dataclass(frozen=True)
class Plan:
  """Tables and figures, and the experiments behind them by name."""

  tables: tuple[Table, ...]
  figures: tuple[Figure, ...]
  experiments: dict[str, Experiment]

  def needed(self) -> list[Experiment]:
    """The experiments of all rows and figures, each once."""
    names = [r.experiment for t in self.tables for r in t.rows if r.experiment]
    names += [figure.experiment for figure in self.figures]
    return [e for name, e in self.experiments.items() if name in names]

  def chosen(
    self, tables: Sequence[str] | None, figures: Sequence[str] | None
  ) -> 'Plan':
    """The part of it that a user asks for."""
    if not tables and not figures:
      return self
    names = {NUMBERS.get(name, name) for name in tables or ()}
    for name in sorted(names - {'all', *(t.name for t in self.tables)}):
      raise ValueError(
        f'`table` {name} is none of those that are measured here.'
      )
    return dataclasses.replace(
      self,
      tables=tuple(t for t in self.tables if {t.name, 'all'} & names),
      figures=tuple(f for f in self.figures if f.name in (figures or ())),
    )

  def named(self, names: Sequence[str] | None) -> list[Experiment]:
    """Those of its experiments that are named; all of them for `None`."""
    needed = self.needed()
    known = [e.name for e in needed]
    for name in names or ():
      if name not in known:
        raise ValueError(
          f'`experiment` must be one of {", ".join(known)}, got {name!r}.'
          f'{registry.suggestion(name, known)}'
        )
    return [e for e in needed if not names or e.name in names]


def plan(is_smoke: bool = False) -> Plan:
  """All that there is: of the paper, or of the few minutes that try the way."""
  if is_smoke:
    rows = tuple(
      Row(paper.Published(name), experiment.name)
      for name, experiment in experiments.SMOKE.items()
    )
    table = Table(
      SMOKE,
      'A few steps on handwritten digits, to try the way',
      '',
      rows,
      'VLAE',
    )
    by_name = {e.name: e for e in experiments.SMOKE.values()}
    return Plan((table,), _SMOKE_FIGURES, by_name)
  tables = tuple(_table(name, p) for name, p in paper.tables().items())
  return Plan(tables, _FIGURES, {e.name: e for e in experiments.OF_THE_PAPER})


def _table(name, published):
  known = _ROWS[name]
  rows = tuple(
    Row(row, known.get(row.name), _WITHOUT.get((name, row.name), ''))
    for row in published.rows
  )
  return Table(
    name, published.title, published.where, rows, published.reference
  )


_ROWS = {
  'static_mnist': {'AF VAE': 'static_mnist_af_vae', 'VLAE': 'static_mnist'},
  'dynamic_mnist': {
    'unconditional decoder': 'dynamic_mnist_unconditional',
    'VLAE': 'dynamic_mnist',
  },
  'omniglot': {
    'unconditional decoder': 'omniglot_unconditional',
    'VLAE': 'omniglot',
  },
  'caltech101': {
    'unconditional decoder': 'caltech101_unconditional',
    'VLAE': 'caltech101',
  },
  'ablation': {
    'unconditional decoder': 'dynamic_mnist_unconditional',
    'Gaussian prior': 'dynamic_mnist_gaussian_prior',
    'IAF posterior, Gaussian prior': 'dynamic_mnist_iaf_posterior',
    'AF prior': 'dynamic_mnist_30',
  },
  'code_bits': {
    'VLAE': 'static_mnist_30',
    'factorised decoder': 'static_mnist_factorised',
    'AF VAE': 'static_mnist_af_vae',
  },
}
_WITHOUT = {
  ('omniglot', 'VLAE, individually tuned'): 'nothing is tuned to one set here',
}
_FIGURES = (
  Figure('1', 'static MNIST', 'static_mnist', 'static_mnist_factorised'),
  Figure('2', 'OMNIGLOT', 'omniglot', samples=True),
)
_SMOKE_FIGURES = (
  Figure('1', 'handwritten digits', 'smoke_vlae', 'smoke_factorised'),
  Figure('2', 'handwritten digits', 'smoke_vlae', samples=True),
)
