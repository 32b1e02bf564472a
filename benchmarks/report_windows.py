"""The part of the results that is of windows of the decoder."""

import json
import pathlib
import textwrap

from vlae_tf.reproduction import summaries

_FOLDER = pathlib.Path(__file__).resolve().parent.parent / 'results' / 'windows'
_PRESET = 'dynamic_mnist'


def render():
  """What `window_sweep` found, as Markdown."""
  path = _FOLDER / f'{_PRESET}.json'
  rows = json.loads(path.read_text(encoding='utf-8'))['rows']
  table = (_FOLDER / f'{_PRESET}.md').read_text(encoding='utf-8').strip()
  few, many = rows[0], rows[-1]
  # The budget and the score are told once, for all rows.
  (epochs,) = {row['epochs'] for row in rows}
  (codes,) = {_codes(row['nll']) for row in rows}
  told = f"""\
The paper's argument: what the decoder's window sees need not be in the code.
One model of dynamic MNIST with larger and larger windows, from none to all
pixels before a pixel, {epochs:.0f} epochs each: bits in the code fall \
from {_bits(few):.1f} to
{_bits(many):.1f}. That is a short budget: the rows are to be compared with \
each other alone.
-ELBO and bits are of all {_images(few)} test images; NLL of them with \
{codes};
the linear probe has {few['num_labels']:,} labels, `+-` is over \
{len(few['accuracies'])} draws of them (`window_sweep`)."""
  return f"""\
{textwrap.fill(told, 80, break_on_hyphens=False)}

{table}

![Charts over the window](../results/windows/{_PRESET}_charts.png)

![Decompressions under each \
window](../results/windows/{_PRESET}_decompressions.png)

To move through the windows, open the
[explorer](../results/windows/{_PRESET}.html) in a browser.
"""


def _bits(row):
  return row['bound']['rate_bits']


def _images(row):
  return f'{row["bound"]["num_images"]:,}'


def _codes(nll):
  text = f'{summaries.count(nll["num_samples"])} codes an image'
  return text + summaries.part(nll, nll['num_images'])
