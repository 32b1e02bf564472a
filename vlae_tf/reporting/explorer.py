"""Interactive page of a sweep over decoder windows (`reproduction.windows`)."""

from collections.abc import Sequence

from vlae_tf.evaluation import figures
from vlae_tf.reporting import charts, page
from vlae_tf.reproduction import windows

_GROUPS, _SCALE = 2, 1.8
_TEXT = (
  'The models differ in the decoder window only: the preceding pixels that the '
  'distribution of a pixel depends on. They are to train for equally many '
  'epochs; the table gives those taken.',
  'The argument of the paper: dependence within the window need not be encoded '
  'in the latent, and as -ELBO is the length of the whole message, it is not.',
)


def make(
  found: Sequence[windows.Row], drawn: windows.Drawn, preset: str
) -> page.Page:
  """The page."""
  heads, rows = windows.cells(found)
  chooser = page.Chooser(
    'window',
    'Window of the decoder, width x height',
    tuple(row.window for row in found),
    tuple(
      (*_panel(row, drawn), _charts(found, k)) for k, row in enumerate(found)
    ),
  )
  sections = (
    page.Section('argument', 'Argument', (page.Text(_TEXT),)),
    page.Section('choose', 'Choose a window', (chooser,)),
    page.Section('numbers', 'All numbers', (page.Table(heads, tuple(rows)),)),
  )
  epochs = found[0].record.epochs_planned
  lead = (
    f'{len(found)} models of preset {preset}, {epochs:g} epochs each. Numbers '
    'are of test images; +- is a standard error.'
  )
  return page.Page('Effect of the decoder window', lead, sections)


def _panel(row, drawn):
  heads, ((_, *values),) = windows.cells([row])
  table = page.Table(('', row.window), tuple(zip(heads[1:], values)))
  shown = []
  for what, made in (
    ('decompressions', drawn.decompressions[row.window]),
    ('completions of its upper half', drawn.completions[row.window]),
  ):
    picture = figures.beside(drawn.images, made, _GROUPS)
    text = f'{len(made)} {what}, window {row.window}'
    alt = f'{len(drawn.images)} test images, each beside {text}'
    shown.append(
      page.picture(picture, alt, f'Test images, framed; {text}.', _SCALE)
    )
  return table, page.Columns((), tuple((x,) for x in shown))


def _charts(found, chosen):
  """All quantities over the windows, the chosen one marked."""
  names = [row.window for row in found]
  columns = []
  for title, curves in windows.curves(found).items():
    series = [
      charts.Series(name, list(enumerate(values)), k, k)
      for k, (name, values) in enumerate(curves.items())
    ]
    caption = f'{title}; window {names[chosen]} is marked'
    chart = charts.lines(
      series, title, 'window', caption, ticks=names, marked=chosen
    )
    columns.append((chart,))
  return page.Columns((), tuple(columns))
