"""The paper's four models as Markdown, from `results/tables/`."""

import math
import pathlib

from vlae_tf.data import sources
from vlae_tf.reproduction import records, rows, summaries

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_MODEL = 'VLAE'
_TABLES = tuple(rows.NUMBERS.values())


def of_each_set():
  """The model of each data set: title, the paper's NLL, our `Record`."""
  found = []
  for table in rows.plan().tables:
    if table.name not in _TABLES:
      continue
    (row,) = (row for row in table.rows if row.published.name == _MODEL)
    record = records.read(_ROOT, row.experiment)
    assert record is not None and record.nll and record.bound, row.experiment
    found.append((table.title, row.published.nll, record))
  return found


def short():
  """A table of a few columns."""
  lines = [
    '| | NLL, nats | in the paper | in the code, nats | epochs |',
    '|---|---|---|---|---|',
  ]
  for title, published, record in of_each_set():
    nll, bound = record.nll, record.bound
    lines.append(
      f'| {title} | {nll["nll"]:.2f} +- {nll["nll_stderr"]:.2f} | '
      f'{published:.2f} | {bound["rate"]:.2f} | {summaries.epochs(record)} |'
    )
  return '\n'.join(lines)


def render():
  """What is known of each of them, with pictures of one."""
  found = of_each_set()
  columns = [_quantities(record) for _, _, record in found]
  titles = [title for title, _, _ in found]
  lines = [f'| | {" | ".join(titles)} |', '|---' * (len(found) + 1) + '|']
  for name in columns[0]:
    lines.append(f'| {name} | {" | ".join(c[name] for c in columns)} |')
  return f"""\
The paper's model of each data set, trained on training and validation images;
all test images, one fixed binarisation, averaged weights. `+-` is a standard
error over images. Where more codes an image were taken of some images alone,
NLL is that of all images corrected by the mean difference these codes make, [as
explained](tables.md). [RESULTS.md](../RESULTS.md) has all rows of the paper,
with budgets.

{chr(10).join(lines)}

Test images of OMNIGLOT (framed) beside draws from their codes alone, and
samples of the model:

![decompressions](../results/omniglot/decompressions.png)
![samples](../results/omniglot/samples.png)
"""


def _quantities(record):
  """What is told of a model, by the name of the line."""
  nll, bound = record.nll, record.bound
  dims = math.prod(sources.image_shape(record.config['dataset']))
  return {
    '-ELBO, nats': f'{-bound["elbo"]:.2f} +- {bound["elbo_stderr"]:.2f}',
    'KL, nats': f'{bound["rate"]:.2f}',
    'KL, bits': f'{bound["rate_bits"]:.2f}',
    'distortion, nats': f'{bound["distortion"]:.2f}',
    'NLL, nats': f'{nll["nll"]:.2f} +- {nll["nll_stderr"]:.2f}',
    'codes an image': f'{nll["num_samples"]:,}',
    'NLL, bits/dim': f'{nll["nll"] / math.log(2) / dims:.4f}',
    'numbers of the code in use': f'{record.active_units} of '
    f'{record.config["latent_size"]}',
    'epochs': summaries.epochs(record),
    'steps': summaries.steps(record),
  }
