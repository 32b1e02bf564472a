"""The paper's tables [1], read from `paper.json`, and the runs behind them.

Published numbers are `Decimal`s, with the digits that were published. A new row
is a line of `paper.json`, and a new experiment in `OF_THE_PAPER` if none fits.

#### References

[1]: Xi Chen, Diederik P. Kingma, Tim Salimans, Yan Duan, Prafulla Dhariwal,
     John Schulman, Ilya Sutskever, Pieter Abbeel. Variational Lossy
     Autoencoder. In _International Conference on Learning Representations_,
     2017. https://arxiv.org/abs/1611.02731 (section 4)
"""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from decimal import Decimal

from vlae_tf.models import config as config_lib
from vlae_tf.utils import registry


@dataclasses.dataclass(frozen=True)
class Row:
  """A row of a table; `None` where the paper has no number."""

  name: str  # Of the model.
  nll: Decimal | None = None  # -log p(x) of the test images in nats.
  bound: bool = False  # Whether `nll` is an upper bound.
  kl: Decimal | None = None  # Mean rate in nats.
  kl_bits: Decimal | None = None  # The same in bits, where given so.
  # NLL less that of the table's reference in nats, where given alone.
  over_reference: Decimal | None = None
  own: bool = False  # Whether the paper trained the model, else it quotes it.
  experiment: str | None = None  # Name of our experiment for this row.
  why_not: str = ''  # Why an own row of the paper has no experiment.

  @property
  def nll_text(self) -> str:
    """Its NLL as published, '< 96.50' for a bound; '' without one."""
    if self.nll is None:
      return ''
    return f'{"< " if self.bound else ""}{self.nll}'


@dataclasses.dataclass(frozen=True)
class Table:
  """A table of the paper."""

  name: str  # As of `--table`.
  title: str
  where: str  # Place in the paper.
  rows: tuple[Row, ...]
  # Name of the row that the others are compared with; these rows train for
  # equally many epochs.
  reference: str | None = None

  def row(self, name: str) -> Row:
    return next(row for row in self.rows if row.name == name)


_PAPER = json.loads(
  pathlib.Path(__file__).with_name('paper.json').read_text('utf-8'),
  parse_float=Decimal,
  parse_int=Decimal,
)
SOURCE: str = _PAPER['source']  # The publication.
# Its tables by name.
PUBLISHED = {
  name: Table(name, **table | {'rows': tuple(Row(**r) for r in table['rows'])})
  for name, table in _PAPER['tables'].items()
}


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A run of `train`."""

  name: str  # Also of its run directory.
  preset: str
  flags: tuple[str, ...] = ()  # Further flags of `train`, which override it.
  # Steps at which training stops, to be resumed in another process.
  stops: tuple[int, ...] = ()
  # The finished run that gives the initial weights.
  after: 'Experiment | None' = None

  @property
  def config(self) -> config_lib.Config:
    """The config that `train` writes."""
    return config_lib.from_args([f'--preset={self.preset}', *self.flags])


@dataclasses.dataclass(frozen=True)
class Figure:
  """A figure: test images beside reconstructions from their latents."""

  name: str  # Its number in the paper.
  title: str
  experiment: str
  beside: str | None = None  # Experiment on the same images, shown if it ran.
  samples: bool = False  # Whether samples from the prior are shown as well.


@dataclasses.dataclass(frozen=True)
class Plan:
  """Tables, figures, and their experiments by name."""

  tables: tuple[Table, ...]
  figures: tuple[Figure, ...]
  experiments: dict[str, Experiment]

  def needed(self) -> list[Experiment]:
    """The experiments of all rows and figures, each once."""
    names = {row.experiment for table in self.tables for row in table.rows}
    names |= {figure.experiment for figure in self.figures}
    return [e for name, e in self.experiments.items() if name in names]

  def chosen(
    self, tables: Sequence[str] | None, figures: Sequence[str] | None
  ) -> 'Plan':
    """The part with some tables and figures; all of it without any."""
    if not tables and not figures:
      return self
    names = {NUMBERS.get(name, name) for name in tables or ()}
    for name in sorted(names - {'all', *(t.name for t in self.tables)}):
      raise ValueError(f'`table` {name} is not measured here.')
    return dataclasses.replace(
      self,
      tables=tuple(t for t in self.tables if {t.name, 'all'} & names),
      figures=tuple(f for f in self.figures if f.name in (figures or ())),
    )

  def named(self, names: Sequence[str] | None) -> list[Experiment]:
    """The needed experiments of some names; all of them for `None`."""
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
  """The plan of the paper, or the smoke test's, which takes minutes."""
  if is_smoke:
    rows = tuple(Row(name, experiment=e.name) for name, e in SMOKE.items())
    title = 'A few steps on handwritten digits, as a smoke test'
    table = Table('smoke', title, '', rows, 'VLAE')
    return Plan((table,), _SMOKE_FIGURES, {e.name: e for e in SMOKE.values()})
  tables = tuple(PUBLISHED.values())
  return Plan(tables, _FIGURES, {e.name: e for e in OF_THE_PAPER})


OF_THE_PAPER = (
  # The VLAEs of MNIST go on in a second run: other batches, a fresh optimiser.
  Experiment(
    'static_mnist',
    'static_mnist',
    (
      '--seed=1',
      '--max_epochs=40',
      '--learning_rate_hold=0.4',
      '--learning_rate_warmup_steps=300',
      # Four times as long an average: the first run began to overfit.
      '--polyak_decay=0.9995',
    ),
    after=Experiment('static_mnist_60', 'static_mnist', ('--max_epochs=60',)),
  ),
  Experiment(
    'dynamic_mnist',
    'dynamic_mnist',
    (
      '--seed=1',
      '--max_epochs=65',
      '--learning_rate_hold=0.4',
      '--learning_rate_warmup_steps=300',
    ),
    after=Experiment('dynamic_mnist_60', 'dynamic_mnist', ('--max_epochs=60',)),
  ),
  Experiment('omniglot', 'omniglot', ('--max_epochs=130',)),
  Experiment('caltech101', 'caltech101'),
  # Rows that are compared have equal budgets: the presets' 30 epochs.
  Experiment('static_mnist_30', 'static_mnist'),
  Experiment('dynamic_mnist_30', 'dynamic_mnist'),
  *(
    Experiment(name, name)
    for name in (
      'dynamic_mnist_gaussian_prior',
      'dynamic_mnist_unconditional',
      'dynamic_mnist_iaf_posterior',
      'static_mnist_factorised',
      'static_mnist_af_vae',
      'omniglot_unconditional',
      'caltech101_unconditional',
    )
  ),
)
# Names of tables by their numbers in the paper.
NUMBERS = {
  '1': 'static_mnist',
  '2': 'dynamic_mnist',
  '3': 'omniglot',
  '4': 'caltech101',
}
_FIGURES = (
  Figure('1', 'static MNIST', 'static_mnist', 'static_mnist_factorised'),
  Figure('2', 'OMNIGLOT', 'omniglot', samples=True),
)

_TINY = (
  '--encoder_widths=4',
  '--encoder_units=8',
  '--latent_size=4',
  '--flow_steps=2',
  '--flow_units=8',
  '--decoder_units=4',
  '--decoder_depth=2',
  '--batch_size=50',
  '--max_epochs=1',
  '--xla=none',
)


def _tiny(name, *flags, stops=(), after=None):
  return Experiment(
    f'smoke_{name}', 'quickstart', (*_TINY, *flags), stops, after
  )


# One of each kind of model, by the name of its row.
SMOKE = {
  'VLAE': _tiny('vlae', stops=(10,)),
  'Gaussian prior': _tiny(
    'gaussian_prior',
    '--prior=gaussian',
    after=_tiny('start', '--prior=gaussian', '--max_epochs=0.5'),
  ),
  'IAF posterior, Gaussian prior': _tiny(
    'iaf_posterior', '--posterior=iaf', '--prior=gaussian'
  ),
  'unconditional decoder': _tiny('unconditional', '--latent_size=0'),
  'factorised decoder': _tiny(
    'factorised', '--decoder=factorised', '--prior=gaussian'
  ),
  'AF VAE': _tiny('af_vae', '--decoder=factorised'),
}
_SMOKE_FIGURES = (
  Figure('1', 'handwritten digits', 'smoke_vlae', 'smoke_factorised'),
  Figure('2', 'handwritten digits', 'smoke_vlae', samples=True),
)
