"""Sections of a report that show what a model draws and sees."""

import math
from collections.abc import Sequence

import numpy as np

from vlae_tf.evaluation import figures, receptive_field
from vlae_tf.reporting import blocks, looks, plates, svg
from vlae_tf.reporting import told as told_lib
from vlae_tf.reporting.told import Told

_MAPPED = 8  # Test images with the nats of their pixels.
_COLUMNS = 4  # Of test images, each with a draw.
# Sides of an image's pixel on a wide page.
_LARGE, _SMALL, _MAP = 2.4, 2.0, 8.0
_FIELD = 320  # Pixels, the width of a receptive field.


def samples(told: Sequence[Told]) -> blocks.Section | None:
  """Samples of the prior."""
  parts = []
  for t in told:
    alt = f'{len(t.look.samples)} images drawn by {t.subject.name}'
    grid = figures.grid(t.look.samples)
    parts.append([blocks.picture(grid, alt, 'z ~ p(z), x ~ p(x|z)', _SMALL)])
  return told_lib.section('samples', 'Samples', told, parts)


def decompressions(told: Sequence[Told]) -> blocks.Section | None:
  """Test images beside draws from their codes, a slider through draws."""
  text = (
    'A test image, framed, and on its right an image drawn from its code '
    'alone. What stays the same from draw to draw is what the code keeps; the '
    'rest is made up by the decoder.'
  )
  known = [t for t in told if t.look.draws is not None]
  if not known:
    return None
  panels = _panels(known, 'draw', [t.look.draws for t in known])
  chooser = _slider('decompression', panels)
  title = 'What the code keeps'
  return blocks.Section(
    'decompressions', title, (blocks.Text((text,)), chooser)
  )


def completions(told: Sequence[Told]) -> blocks.Section:
  """Test images beside continuations of their upper halves."""
  text = (
    'Of each test image, framed, the upper half is given; the code is inferred '
    'from it, and the rest is drawn.'
  )
  panels = _panels(told, 'continuation', [t.look.completions for t in told])
  chooser = _slider('completion', panels)
  return blocks.Section(
    'completions', 'Completions', (blocks.Text((text,)), chooser)
  )


def _slider(name, panels):
  options = tuple(f'{k + 1} of {len(panels)}' for k in range(len(panels)))
  return blocks.Chooser(name, 'Draw', options, panels, True)


def _panels(told, what, drawn):
  """For each draw, the originals of each run beside it."""
  panels = []
  for k in range(len(drawn[0])):
    parts = []
    for t, draws in zip(told, drawn):
      originals = t.look.originals[: draws.shape[1]]
      pixels = figures.beside(originals, draws[k : k + 1], _COLUMNS)
      alt = (
        f'{len(originals)} test images, each beside {what} {k + 1} by '
        f'{t.subject.name}'
      )
      parts.append([blocks.picture(pixels, alt, scale=_LARGE)])
    panels.append(tuple(blocks.side_by_side(told_lib.names(told), parts)))
  return tuple(panels)


def window(told: Sequence[Told]) -> blocks.Section | None:
  """The receptive field of the decoder over a test image."""
  text = (
    'What the decoder can model from the pixels around, the code need not keep.'
  )
  parts = [_field(t) for t in told]
  title = 'What the decoder sees'
  return told_lib.section('window', title, told, parts, blocks.Text((text,)))


def _field(t) -> list[blocks.Block]:
  found = t.look.field
  if found is None:
    return []
  text = receptive_field.describe(found)
  plate = plates.field(t.look.originals[0], found)
  alt = f'A test image; the pixels that one pixel sees are blue: {text}'
  caption = (
    f'The decoder of {t.subject.name} at the orange pixel: {text}. What is '
    'drawn later is dimmed.'
  )
  return [blocks.picture(plate, alt, caption, _FIELD / plate.shape[1])]


def code(told: Sequence[Told]) -> blocks.Section | None:
  """The rate of each number of the code."""
  return told_lib.section(
    'code', 'Where the code is', told, [_rates(t.look) for t in told]
  )


def _rates(look: looks.Look) -> list[blocks.Block]:
  use = look.use
  if use is None or use.rates is None:
    return []
  order = np.argsort(-use.rates)
  nats = float(use.rates.sum())
  caption = (
    f'{nats:.2f} nats = {nats / math.log(2):.1f} bits in all, mean of '
    f'{look.num_read:,} test images; {use.active_units} of {len(order)} are '
    'active.'
  )
  values, names = use.rates[order].tolist(), [str(k) for k in order]
  label = 'numbers of the code, by their rate'
  return [svg.bars(values, 'rate, nats', label, caption, names)]


def nats(told: Sequence[Told]) -> blocks.Section | None:
  """Where in the image the distortion is."""
  found = [t.look.nats for t in told if t.look.nats is not None]
  if not found:
    return None
  # The same colours for all.
  most = max(float(n.mean.max()) for n in found)
  text = '-log p of each pixel, given its code and the pixels it sees.'
  parts = [_maps(t.look, most) for t in told]
  title = 'Where the nats are'
  return told_lib.section('nats', title, told, parts, blocks.Text((text,)))


def _maps(look: looks.Look, most: float) -> list[blocks.Block]:
  if look.nats is None:
    return []
  mean, each = look.nats.mean, look.nats.of_originals[:_MAPPED]
  brightest = float(np.quantile(each, 0.998))
  images = look.originals[:_MAPPED]
  return [
    blocks.picture(
      plates.heat(mean, most),
      f'Mean nats of each pixel, {mean.sum():.1f} in all',
      f'Mean of {look.num_read:,} test images: dark is 0, yellow {most:.2f} '
      'nats.',
      min(_MAP, _FIELD / mean.shape[1]),
    ),
    blocks.picture(
      plates.heats(images, each, brightest),
      f'{len(images)} test images and the nats of their pixels',
      f'Single test images: dark is 0, yellow {brightest:.1f} nats or more.',
      _SMALL,
    ),
  ]


def ends(told: Sequence[Told]) -> blocks.Section | None:
  """The test images of the least and of the greatest distortion."""
  nums = dict.fromkeys(len(t.look.scored.distortion) for t in told)
  num = ' and '.join(f'{n:,}' for n in nums)
  text = (
    f'Of {num} test images, by -log p(x|z) of one code each. '
    'Images with more ink cost more.'
  )
  parts = [
    [*_end(t.look.best, 'least'), *_end(t.look.worst, 'most')] for t in told
  ]
  title = 'Best and worst'
  return told_lib.section('ends', title, told, parts, blocks.Text((text,)))


def _end(chosen: looks.Chosen, what) -> list[blocks.Block]:
  if not len(chosen.numbers):
    return []
  cells, below = [chosen.images], ''
  if chosen.draws is not None:
    cells.append(chosen.draws)
    below = ', below each a draw from its code'
  caption = (
    f'The {what} distortion{below}: '
    f'{", ".join(f"{x:.0f}" for x in chosen.distortions)} nats; test images '
    f'number {", ".join(map(str, chosen.numbers))}.'
  )
  alt = f'{len(chosen.numbers)} test images of the {what} distortion{below}'
  return [blocks.picture(figures.rows(np.stack(cells)), alt, caption, _SMALL)]
