"""The figures of the paper [1], as data with the place that they are from.

Numbers are `Decimal`s, with the digits that were published. 'Own' is what the
paper trained itself; the other rows it quotes.

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

_PATH = pathlib.Path(__file__).with_name('paper.json')


@dataclasses.dataclass(frozen=True)
class Published:
  """A row of a table of the paper; what it does not say is `None`."""

  name: str  # What the model is.
  nll: Decimal | None = None  # -log p(x) of the test images in nats.
  bound: bool = False  # Whether that is an upper bound.
  kl: Decimal | None = None  # Mean rate of the code in nats.
  kl_bits: Decimal | None = None  # The same in bits, where it is given so.
  # Nats by which its NLL is above that of the table's reference, where the
  # difference alone is given.
  over_reference: Decimal | None = None
  own: bool = False  # Whether it is the paper's own model.

  @property
  def nll_text(self) -> str:
    """Its NLL as it was published, '< 96.50' of a bound; '' without one."""
    if self.nll is None:
      return ''
    return f'{"< " if self.bound else ""}{self.nll}'


@dataclasses.dataclass(frozen=True)
class PublishedTable:
  """A table of the paper."""

  title: str  # What it is of.
  where: str  # Where the paper has it.
  rows: tuple[Published, ...]  # Its rows, in its order.
  # Name of the row that others are compared with, for which all train equally
  # long; `None` where they are not.
  reference: str | None = None

  def row(self, name: str) -> Published:
    """The row of a name."""
    return next(row for row in self.rows if row.name == name)


@functools.cache
def tables() -> dict[str, PublishedTable]:
  """All tables by a short name.

  >>> str(tables()['static_mnist'].row('AF VAE').nll)
  '79.30'
  """
  text = _PATH.read_text(encoding='utf-8')
  found = json.loads(text, parse_float=Decimal, parse_int=Decimal)['tables']
  return {
    name: PublishedTable(
      table['title'],
      table['where'],
      tuple(Published(**row) for row in table['rows']),
      table.get('reference'),
    )
    for name, table in found.items()
  }


@functools.cache
def source() -> str:
  """What the figures are quoted from."""
  return str(json.loads(_PATH.read_text(encoding='utf-8'))['source'])
