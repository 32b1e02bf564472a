"""Writes README's results from the files in `results/`.

`python benchmarks/report.py`; a test holds README to them. No number there is
typed by hand: `evaluate`, the training log and the benchmarks wrote them.
"""

import json
import pathlib

from vlae_tf.runs import scores

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'results'
BEGIN, END = '<!-- results -->', '<!-- end of results -->'

_SPEEDS = [
  ('speedup_batch_1', "the paper's decoder, 1 image", 'naive loop'),
  ('speedup_batch_16', "the paper's decoder, 16 images", 'naive loop'),
  ('speedup_gated_batch_16', 'gated, 8 x 64 maps, 16 images', 'naive loop'),
  ('speedup_tfd_pixelcnn', "the paper's decoder, 1 image", '`tfd.PixelCNN`'),
]


def training_facts(log):
  """What a run's `metrics.jsonl` says of its length and speed.

  Args:
    log: Path of the file.

  Returns:
    A dictionary of steps, minutes and steps a second, pauses included.
  """
  lines = [json.loads(line) for line in open(log, encoding='utf-8')]
  steps = lines[-1]['step'] - lines[0]['step']
  seconds = lines[-1]['time'] - lines[0]['time']
  return dict(
    steps=lines[-1]['step'],
    minutes=seconds / 60,
    steps_per_s=steps / seconds,
  )


def render():
  """The results as Markdown, from what is in `results/`."""
  parts = [_omniglot(), _sampling(), _training()]
  return '\n'.join([BEGIN, '', '## Results', '', *parts, END])


def _read(name):
  return json.loads((RESULTS / name).read_text(encoding='utf-8'))


def _omniglot():
  found = scores.read(RESULTS / 'omniglot')
  full = max(found, key=lambda score: score['num_images'])
  part = max(found, key=lambda score: score['num_samples'])
  run = _read('omniglot/training.json')
  return f"""\
`flags/omniglot.flags`: the paper's model on OMNIGLOT 28x28, reconstructed Burda
split, trained on training and validation images for {run['epochs']:.0f} epochs
({run['steps']:,} steps of {run['batch_size']} images), {run['minutes']:.0f}
minutes on two CPU cores that other work shared. All
{full['num_images']:,} test images, one fixed binarisation, averaged weights:

{_table(full, part)}

Test images (framed) beside draws from their codes alone, and samples of the
model:

![decompressions](results/omniglot/decompressions.png)
![samples](results/omniglot/samples.png)
"""


def _table(full, part):
  rows = [
    ('-ELBO', f'{-full["elbo"]:.2f} +- {full["elbo_stderr"]:.2f} nats'),
    ('rate', f'{full["rate"]:.2f} nats = {full["rate_bits"]:.2f} bits'),
    ('distortion', f'{full["distortion"]:.2f} nats'),
    (
      f'NLL, {full["num_samples"]} codes an image',
      f'{full["nll"]:.2f} +- {full["nll_stderr"]:.2f} nats = '
      f'{full["bits_per_dim"]:.4f} bits/dim',
    ),
    (
      f'-ELBO less NLL, {part["num_samples"]} codes, first '
      f'{part["num_images"]:,} images',
      f'{part["gap"]:.3f} +- {part["gap_stderr"]:.3f} nats',
    ),
  ]
  lines = [f'| {name} | {value} |' for name, value in rows]
  return '\n'.join(['| quantity | value |', '|---|---|', *lines])


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


def main():
  path = ROOT / 'README.md'
  text = path.read_text(encoding='utf-8')
  before, rest = text.split(BEGIN)
  after = rest.split(END)[-1] if END in rest else rest
  path.write_text(before + render() + after, encoding='utf-8')


if __name__ == '__main__':
  main()
