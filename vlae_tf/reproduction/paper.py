"""Numbers published in the paper [1], read from `paper.json`.

Numbers are `Decimal`s, with the digits that were published.

#### References

[1]: Xi Chen, Diederik P. Kingma, Tim Salimans, Yan Duan, Prafulla Dhariwal,
     John Schulman, Ilya Sutskever, Pieter Abbeel. Variational Lossy
     Autoencoder. In _International Conference on Learning Representations_,
     2017. https://arxiv.org/abs/1611.02731 (section 4)
"""

import dataclasses
import functools
import json
import pathlib
from decimal import Decimal
from typing import Any


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
    """The row of a name."""
    return next(row for row in self.rows if row.name == name)


@functools.cache
def tables() -> dict[str, Table]:
  """All tables by name, without experiments.

  >>> str(tables()['static_mnist'].row('AF VAE').nll)
  '79.30'
  """
  return {
    name: Table(
      name, **table | {'rows': tuple(Row(**r) for r in table['rows'])}
    )
    for name, table in _content()['tables'].items()
  }


def source() -> str:
  """The publication that the numbers are from."""
  return str(_content()['source'])


@functools.cache
def _content() -> dict[str, Any]:
  text = pathlib.Path(__file__).with_name('paper.json').read_text('utf-8')
  return dict(json.loads(text, parse_float=Decimal, parse_int=Decimal))
