"""The part of the results that is of colour images."""

import json
import math
import pathlib

from vlae_tf.runs import scores

RESULTS = pathlib.Path(__file__).resolve().parent.parent / 'results'
_FOLDER = RESULTS / 'cifar10'
_SCALES = {'mean': 'mean of the image', 0: 'sharp'}
_CODECS = {'png': 'PNG', 'webp': 'WebP', 'tiff': 'TIFF'}


def _read(path):
  return json.loads(path.read_text(encoding='utf-8'))


def render():
  """Tables and pictures as Markdown, from what is in `results/cifar10/`."""
  return '\n'.join([_bounds(), _retention(), _codec(), _speed()])


def _bounds():
  """What each run reached, in bits/dim, with its budget."""
  training = _read(_FOLDER / 'training.json')
  rows = [
    '| run | images | epochs | steps | minutes | test -ELBO, bits/dim | '
    'rate, nats | rate, bits/dim | NLL, bits/dim |',
    '|---|---|---|---|---|---|---|---|---|',
  ]
  for name, run in training.items():
    rows.append(f'| `{name}` | {_budget(run)} | {_scores(name)} |')
  timed = _read(_FOLDER / 'speed.json')['presets']
  untrained = ', '.join(f'`{n}`' for n in timed if n not in training)
  return f"""\
The models of Appendix B, trained for as long as the table says on two CPU cores
that other work shared: nothing here has converged (the paper's: 2.95 to 3.12
bits/dim). -ELBO with one code for each of as many test images as it says, NLL
with more codes for the first ones; averaged weights, one setting, standard
errors over images; minutes between the first and the last look, without pauses.

{chr(10).join(rows)}

Not trained here, but timed below: {untrained}.

![learning curves](../results/cifar10/curve.png)
"""


def _budget(run):
  cells = [
    f'{run["steps"] * run["batch_size"] / run["epochs"]:,.0f}',
    f'{run["epochs"]:.1f}',
    f'{run["steps"]:,}',
    f'{run["minutes"]:.0f}',
  ]
  return ' | '.join(cells)


def _scores(name):
  """-ELBO, rate and NLL of a run as cells of a table."""
  found = scores.read(_FOLDER / name) if (_FOLDER / name).is_dir() else []
  if not found:
    return 'not measured | | | '
  full = max(found, key=lambda score: score['num_images'])
  part = max(found, key=lambda score: score['num_samples'])
  unit = full['elbo_bits_per_dim'] / -full['elbo']
  nll = 'not measured'
  if part['num_samples'] > 1:
    nll = (
      f'{part["bits_per_dim"]:.4f} +- {unit * part["nll_stderr"]:.4f} '
      f'({part["num_samples"]} codes, {part["num_images"]:,} images)'
    )
  return (
    f'{full["elbo_bits_per_dim"]:.4f} +- {unit * full["elbo_stderr"]:.4f} '
    f'({full["num_images"]:,} images) | {full["rate"]:.1f} | '
    f'{full["rate_bits_per_dim"]:.4f} | {nll}'
  )


def _retention():
  """What decompressions keep, a row a respect, a column a run."""
  found = _read(_FOLDER / 'retention.json')
  runs = found['runs']
  names = [label.split(',')[0] for label in runs]
  rows = [
    f'| kept | {" | ".join(f"`{name}`" for name in names)} |',
    '|---' * (1 + len(names)) + '|',
  ]
  for of_one in zip(*runs.values()):
    first = of_one[0]
    blur = first['blur']
    scale = _SCALES.get(blur) or f'blur {blur:g}'
    cells = [
      f'{r["kept"]:.3f} +- {r["kept_stderr"]:.3f} ({r["error"]:.1f})'
      for r in of_one
    ]
    rows.append(f'| {first["what"]}, {scale} | {" | ".join(cells)} |')
  return f"""\
What decompressions keep (`retention`, the first {found['num_images']:,} test \
images, a draw each):
one minus the mean square of the difference over that to decompressions of other
images, and in brackets the root mean square in levels of 255; both after a
Gaussian blur of so many pixels. Where the window sees luminance alone, colour
has to come through the code.

{chr(10).join(rows)}

![originals and decompressions](../results/cifar10/retention.png)
![samples, colour window](../results/cifar10/samples.png)
![samples, grey window](../results/cifar10/samples_grey.png)
"""


def _codec():
  """The file the tiny model makes of test images, beside general codecs."""
  found = _read(_FOLDER / 'codec.json')
  together, one_by_one = (
    f'{100 * found[f"smaller_than_best_{way}"]:.1f}% less than '
    + _CODECS.get(found[f'best_{way}'], found[f'best_{way}'])
    for way in ('together', 'one_by_one')
  )
  return f"""\
Without loss (`compress`) the first {found['images']:,} test images take \
{found['gross_bits'] // 8:,} bytes by the
tiny model, {found['gross_bits_per_dim']:.3f} bits/dim and \
{100 * found['gross_over_elbo']:.2f}% over -ELBO: {together}, the best of
general codecs, takes for all of them together, and {one_by_one} one by one.
"""


def _speed():
  """Training and sampling of each preset, and what follows for a GPU."""
  found = _read(_FOLDER / 'speed.json')
  rows = [
    '| preset | weights | training, images/s | over plain convolutions | '
    'sampling, images/s | over the naive loop | memory, GiB | GFLOP an image, '
    'forward | projected on a GPU, images/s |',
    '|---' * 9 + '|',
  ]
  for name, row in found['presets'].items():
    cells = [
      f'{row["weights"]:,}',
      _median(row['training_images_per_s']),
      _ratio(row['training_ratio']),
      _median(row['sampling_images_per_s']),
      _ratio(row['sampling_ratio']),
      f'{row["peak_memory_gib"]:.1f}',
      f'{row["forward_gflops_per_image"]:.2f}',
      f'{row["projected_gpu_images_per_s"]:,.0f}',
    ]
    rows.append(f'| `{name}` | {" | ".join(cells)} |')
  return f"""\
Speed at {found['batch']} images on {found['processors']} cores, medians of \
{found['rounds']} interleaved rounds and their range
(`benchmarks/cifar10.py`): a training step, against the same network with plain
masked convolutions; drawing codes and images, against a full pass for every
pixel (extrapolated). The last column is a projection, not a measurement:
counted operations, three forward passes a step, at an assumed \
{found['sustained_tflops']:g} TFLOP/s.

{chr(10).join(rows)}
"""


def _median(values):
  digits = max(0, 1 - math.floor(math.log10(values['median'])))
  return f'{values["median"]:.{digits}f}'


def _ratio(values):
  digits = 2 if values['median'] < 10 else 0
  low, high = (f'{values[key]:.{digits}f}' for key in ('low', 'high'))
  return f'{values["median"]:.{digits}f} ({low} - {high})'
