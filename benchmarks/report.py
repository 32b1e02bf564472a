"""Writes `docs/results.md` and README's table from the files in `results/`.

`python benchmarks/report.py`; a test holds both to them. No number there is
typed by hand: `evaluate`, the training log and the benchmarks wrote them.
"""

import json
import pathlib
import statistics

import report_cifar10
import report_recipes
import report_tables
import report_windows

from vlae_tf.evaluation import anomaly

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'results'
BEGIN, END = '<!-- results -->', '<!-- end of results -->'

_SPEEDS = [
  ('speedup_batch_1', "the paper's decoder, 1 image", 'naive loop'),
  ('speedup_batch_16', "the paper's decoder, 16 images", 'naive loop'),
  ('speedup_gated_batch_16', 'gated, 8 x 64 maps, 16 images', 'naive loop'),
  ('speedup_tfd_pixelcnn', "the paper's decoder, 1 image", '`tfd.PixelCNN`'),
]


def pages():
  """What is written: paths in the repository, and what is in the markers."""
  return {
    'README.md': _short(),
    'docs/results.md': render(),
    'docs/recipes.md': '\n'.join([BEGIN, '', report_recipes.render(), END]),
  }


def render():
  """The page of results as Markdown, from what is in `results/`."""
  parts = {
    "The paper's models": report_tables.render,
    'What the window decides': report_windows.render,
    'Drawing': _sampling,
    'Training': _training,
    'Importance sampling': _evaluation,
    'An exported model': _serving,
    'What the code knows': _probe,
    'Telling images apart': _anomaly,
    'Files without loss': _codec,
    'Codes alone': _rate_distortion,
    'CIFAR-10': report_cifar10.render,
  }
  sections = [f'## {head}\n\n{part()}' for head, part in parts.items()]
  return '\n'.join([BEGIN, '', _HEAD, *sections, END])


_HEAD = """\
# Results

What was measured, from the files in `results/`: no number here is typed. The
rows of the paper's tables are in [RESULTS.md](../RESULTS.md), and what is
missing is among the [limits](limits.md).
"""


def _short():
  """README's table, and what else there is to tell."""
  coded, speeds = _read('codec_omniglot.json'), _read('sampling.json')
  lines = [
    f"OMNIGLOT's test images as one file without loss take "
    f'{coded["gross_bits"] // 8:,} bytes,',
    f'{coded["gross_over_elbo"]:.1%} above -ELBO and '
    f'{coded["smaller_than_best_together"]:.0%} less than by '
    f'{coded["best_together"]}; 16 images are drawn '
    f'{speeds["speedup_batch_16"]:.0f} times as fast as',
    f'pixel by pixel, measured on {speeds["cpus"]} CPU cores.',
  ]
  return '\n'.join([BEGIN, '', report_tables.short(), '', *lines, '', END])


def _read(name):
  return json.loads((RESULTS / name).read_text(encoding='utf-8'))


def _sampling():
  speeds = _read('sampling.json')
  rows = [
    '| sampling 28x28 | against | times as fast | range |',
    '|---|---|---|---|',
  ]
  for key, what, other in _SPEEDS:
    low, high = speeds['seconds'][key]['ratio_range']
    rows.append(
      f'| {what} | {other} | {speeds[key]:.0f} | {low:.0f} - {high:.0f} |'
    )
  prior = speeds['prior_sample_over_log_prob']
  low, high = speeds['seconds']['prior_sample_over_log_prob']['ratio_range']
  return f"""\
Pixels that do not depend on each other are drawn together, and only what they
change is computed. Medians of {speeds['rounds']} interleaved rounds, the same
{speeds['cpus']} cores, {speeds['mismatched_pixels']} pixels different:

{chr(10).join(rows)}

A sample of the flow prior costs {prior:.1f} ({low:.1f} - {high:.1f}) times its
`log_prob`, 256 codes (`benchmarks/sampling.py`).
"""


def _training():
  step = _read('train_step.json')
  low, high = step['ratio_range']
  return f"""\
A training step of the paper's model, 100 images, averages, clipping and guards
included, takes {step['images_per_s_float32']:.0f} images/s on {step['cores']} \
cores: {step['ratio']:.2f} ({low:.2f} - {high:.2f})
times a plain Keras step without them; `mixed_bfloat16` \
{step['ratio_bfloat16']:.2f} times. The loop around it
takes {100 * step['host_loop_share']:.1f}% of the time, a checkpoint stalls it \
for {step['checkpoint_stall_s']:.2f} s, and the input pipeline
gives {step['input_over_step']:.0f} times what the step takes \
(`benchmarks/train_step.py`, the plain step `benchmarks/plain_step.py`).
"""


def _evaluation():
  found = _read('evaluation.json')
  low, high = found['ratio_range']
  speeds = found['codes_per_s']
  return f"""\
`evaluate` scores {speeds['ours']:,.0f} codes/s with the paper's model on \
{found['cpus']} cores, {found['ratio']:.2f} ({low:.2f} - {high:.2f})
times as many as the plain way to write it, and agrees with it within \
{found['largest_difference']:.0e}
nats an image ({found['num_images']} images, {found['num_samples']} codes, \
{found['rounds']} interleaved rounds, `benchmarks/evaluation.py`). The
aim was twice as many: most of the time goes into convolutions and products,
which both need, and much of the rest into ELUs and biases, see the
[limits](limits.md#results).
"""


def _serving():
  found = _read('serving.json')
  size = sum(found['bytes'].values()) / 2**20
  cold = {
    who: {phase: times['median'] for phase, times in phases.items()}
    for who, phases in found['cold_start_s'].items()
  }
  rows = []
  for name, row in found['steady'].items():
    low, high = row['ratio']['range']
    what, _, num = name.split('_')
    rows.append(
      f'| `{what}`, {num} at a time | {row["export_images_per_s"]:,.0f} | '
      f'{row["python_images_per_s"]:,.0f} | {row["ratio"]["median"]:.1f} '
      f'({low:.1f} - {high:.1f}) |'
    )
  exported, python = cold['export'], cold['python']
  return f"""\
The paper's model of OMNIGLOT, exported as a SavedModel, takes \
{size:.0f} MiB. In a fresh process
it is loaded in {exported['load']:.1f} s, its first `encode` takes \
{exported['first_encode']:.2f} s and its first `sample`
{exported['first_sample']:.1f} s, most of it to compile; in Python \
{python['load']:.1f}, {python['first_encode']:.2f} and \
{python['first_sample']:.1f} s, after
{python['import']:.1f} s of imports in place of {exported['import']:.1f}. \
Images a second once they are compiled, medians of
{found['rounds']} interleaved rounds (`benchmarks/serving.py`); the images are \
the same:

| | exported | `encoding`, `sampling` in Python | times as fast |
|---|---|---|---|
{chr(10).join(rows)}
"""


def _probe():
  found = _read('probe_dynamic_mnist.json')
  few = [
    row
    for row in found['of_few']
    if 'labels spread' in row['classifier'] or row['features'] == 'code, mean'
  ]
  return f"""\
What the code of dynamic MNIST at step {found['step']:,} knows of the digits, \
beside
that of the same VAE with a factorised decoder at step \
{found['baseline_step']:,} (`probe`): accuracy
on the {found['num_test']:,} test images in %, +- standard error over \
{found['repeats']} draws of labelled images.

{_accuracies(found['rows'])}

Few labels, of the labelled images alone or spread over the graph of all \
{found['num_train']:,}
training images:

{_accuracies(few)}

Ways between the codes of test images (framed), all draws of a row with the same
pixel noise, and single numbers of a code from -3 to 3 standard deviations
(`sample --mode=interpolate` and `traverse`):

![interpolations](../results/dynamic_mnist/interpolations.png)
![traversals](../results/dynamic_mnist/traversals.png)
"""


def _accuracies(rows):
  lines = []
  for row in rows:
    cells = [_accuracy(values) for values in row['accuracies'].values()]
    lines.append(
      f'| {row["classifier"]} | {row["features"]} | {" | ".join(cells)} |'
    )
  heads = ' | '.join(f'{int(n):,} labels' for n in rows[0]['accuracies'])
  rule = '|---' * (2 + len(rows[0]['accuracies']))
  return '\n'.join([f'| classifier | of | {heads} |', f'{rule}|', *lines])


def _accuracy(values):
  percent = [100 * v for v in values]
  if len(percent) == 1:
    return f'{percent[0]:.1f}'
  error = statistics.stdev(percent) / len(percent) ** 0.5
  return f'{statistics.mean(percent):.1f} +- {error:.1f}'


def _anomaly():
  lines = []
  for name in ('anomaly_dynamic_mnist.json', 'anomaly_omniglot.json'):
    found = _read(name)
    for score, row in found['scores'].items():
      lines.append(
        f'| {found["dataset"]}, {found["num_images"]:,} | {found["against"]}, '
        f'{found["num_others"]:,} | {anomaly.SCORES[score][0]} | '
        f'{row["own"]:.3f} | {row["other"]:.3f} | {row["auroc"]:.3f} +- '
        f'{row["auroc_stderr"]:.3f} |'
      )
  return f"""\
Telling others' test images from a model's own (`anomaly`, \
{found['num_samples']} codes an image), by \
likelihood and by
its ratio to a window of 2x1 pixels without a code:

| model | others | score | own, bits/dim | others | AUROC |
|---|---|---|---|---|---|
{chr(10).join(lines)}
"""


# Of `compress --report`, in this order.
_COMPRESSED = ('omniglot', 'omniglot_1000', 'static_mnist')


def _codec():
  rows = []
  for name in _COMPRESSED:
    found = _read(f'codec_{name}.json')
    best = found['best_together']
    rows.append(
      f'| {found["in"]}, {found["images"]:,}, {found["chunk_size"]:,} | '
      f'{found["model"]} | '
      f'{found["gross_bits"] // 8:,} | {found["gross_bits_per_image"]:.1f} | '
      f'{found["net_over_elbo"]:+.2%} | {found["gross_over_elbo"]:+.2%} | '
      f'{best}: {found["smaller_than_best_together"]:.0%} smaller |'
    )
  speeds = _read('codec.json')
  single = speeds['single']
  saved = 1 - single['mean_bytes'] / single['best_general_mean_bytes']
  return f"""\
Files without loss (`compress`), beside -ELBO (the error of the codes it was
estimated with is below 0.1%) and the best of gzip, bz2, xz, PNG, WebP and TIFF,
which got all images together as well:

| images, in a chunk | model | bytes | bits/image | net, over -ELBO | \
file, over -ELBO | best general codec |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}

A file of one image takes {single['mean_bytes']:.1f} bytes, the mean of \
{single['images']} of OMNIGLOT's, 26 of them header
and sums; {single['best_general']}, the best general codec for one, \
{single['best_general_mean_bytes']:.1f}: {saved:.0%} less.

{_codec_speeds(speeds)}
"""


def _codec_speeds(speeds):
  rows = []
  for name, row in speeds.items():
    if not name.startswith('lanes_'):
      continue
    _, lanes, *_, chunks = name.split('_')
    cells = [f'{row["sample_images_per_s"]:.0f}']
    for way in ('encode', 'decode'):
      ratio = row[f'{way}_over_sample']
      low, high = ratio['range']
      cells.append(
        f'{row[f"{way}_images_per_s"]:.0f}: {ratio["median"]:.2f} '
        f'({low:.2f} - {high:.2f})'
      )
    rows.append(f'| {lanes} | {chunks} | {" | ".join(cells)} |')
  return f"""\
Images a second against the compiled sampler at the same batch, OMNIGLOT, \
chunks of
{speeds['images_per_chunk']:,} images, medians of {speeds['rounds']} \
interleaved rounds on {speeds['cpus']} cores, with the ratio to the sampler
(`benchmarks/codec.py`):

| images at a time | chunks at a time | sampling | encoding | decoding |
|---|---|---|---|---|
{chr(10).join(rows)}"""


_WAYS = {
  'search': 'lattice, step {}',
  'shared': 'place among shared draws',
  'posterior': 'draw of the posterior, KL',
  'prior': 'nothing, a draw of the prior',
}


def _rate_distortion():
  found = _read('rate_distortion_omniglot.json')
  lines = []
  for row in found['rows']:
    if row['way'] not in _WAYS:
      continue
    step = row['step'] and f'{row["step"]:g}'
    lines.append(
      f'| {_WAYS[row["way"]].format(step)} | {row["bits"]:.1f} | '
      f'{row["distortion"]:.1f} | {row["hamming_draw"]:.1f} | '
      f'{100 * row["accuracy_draw"]:.1f} |'
    )
  return f"""\
Codes alone (`compress --mode=lossy`, `rate_distortion`), the first \
{found['num_images']:,} test images of
OMNIGLOT: bits of a code, -log2 p(x|z), pixels of a draw that differ from the
original, and alphabets that a linear probe finds in draws, in % (in the
originals {100 * found['accuracy_of_originals']:.1f}).

| code | bits | distortion, bits | pixels | alphabets |
|---|---|---|---|---|
{chr(10).join(lines)}

![codes of few bits](../results/rate_distortion_omniglot.png)
"""


def main():
  for name, rendered in pages().items():
    path = ROOT / name
    text = path.read_text(encoding='utf-8')
    before, rest = text.split(BEGIN)
    after = rest.split(END)[-1] if END in rest else rest
    path.write_text(before + rendered + after, encoding='utf-8')


if __name__ == '__main__':
  main()
