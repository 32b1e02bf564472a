"""Writes what the guide takes from the code: `python tests/update_docs.py`.

Tables of names say what is registered. A table lies between `<!-- NAME -->` and
`<!-- end of NAME -->` on its page. The page of flags is what the commands
define.
"""

import dataclasses
import re

import command_flags
import source_tree

from vlae_tf import data
from vlae_tf.exporting import signatures
from vlae_tf.models import config, decoders
from vlae_tf.runs import pretrained
from vlae_tf.utils import registry

DOCS = source_tree.ROOT / 'docs'
FLAGS = 'flags'


def tables():
  """Pages, without `.md`, that have tables of names."""
  return list(_TABLES)


def updated(page, text):
  """The text of a page with its tables as the registries have them.

  Args:
    page: Name of the page, of `tables`.
    text: The text as it is.

  Returns:
    The text as it should be.

  Raises:
    ValueError: A table's place, or what only a person can fill in, is missing.
  """
  for name, table in _TABLES[page].items():
    begin, end = f'<!-- {name} -->\n', f'<!-- end of {name} -->\n'
    pattern = re.compile(f'(?<={begin})(.*?)(?={end})', re.DOTALL)
    found = pattern.findall(text)
    if len(found) != 1:
      raise ValueError(f'docs/{page}.md must have {begin}...{end} once.')
    lines = '\n'.join(table(found[0]))
    text = pattern.sub(lambda _, lines=lines: f'\n{lines}\n\n', text)
  return text


def flags_page():
  """The page of all flags of all commands."""
  parts = [_FLAGS_HEAD]
  for command, facts in command_flags.described().items():
    title, _, rest = facts['doc'].strip().partition('\n')
    about = f'{title}\n{rest}'.strip()
    known = sorted(facts['flags'], key=lambda flag: not flag['needed'])
    rows = [_row(*_flag_cells(flag)) for flag in known]
    lines = [*_header('flag', 'default', 'what it is'), *rows]
    table = '\n'.join(lines) if known else 'It has no flags of its own.'
    parts.append(f'## {command}\n\n{about}\n\n{table}\n')
  return '\n'.join(parts)


_FLAGS_HEAD = """\
# Every flag

<!-- Written by `python tests/update_docs.py`: do not edit. -->

What the commands themselves define; `--help` of each says the same. Besides
these, all take `--flagfile=FILE`, a file with a flag a line, and `--tf32`,
which lets GPUs round what they multiply to 10 bits: faster, and no float32. Of
a flag `--[no]name`, `--name` is true and `--noname` is false.
"""


def _flag_cells(flag):
  default = '' if flag['default'] is None else f'`{flag["default"]}`'
  words = flag['help']
  # Registered names are in the help, each with what it is.
  missing = [v for v in flag['values'] if not re.search(rf'\b{v}\b', words)]
  if missing:
    words = f'{words} One of {", ".join(f"`{v}`" for v in flag["values"])}.'
  words = words.replace('<', '&lt;')
  return (
    f'`{flag["name"]}`',
    'must be given' if flag['needed'] else default,
    words,
  )


def _row(*cells):
  escaped = (cell.replace('|', '\\|') for cell in cells)
  return f'| {" | ".join(escaped)} |'


def _header(*cells):
  return [_row(*cells), '|' + '---|' * len(cells)]


def _decoders(old):
  """What each decoder sees."""
  del old
  names = decoders.NETWORKS
  return [
    *_header('`--decoder`', 'what a pixel sees of the image'),
    *(_row(f'`{name}`', names.description(name)) for name in names),
  ]


def _parts(old):
  """All else that a flag chooses by name."""
  del old
  lines = _header('flag', 'value', 'what it is')
  for field in dataclasses.fields(config.Config):
    names = field.metadata['choices']
    if not isinstance(names, registry.Registry) or field.name == 'decoder':
      continue
    for k, name in enumerate(names):
      flag = '' if k else f'`--{field.name}`'
      value = f'`{name}`' + ' (default)' * (name == field.default)
      lines.append(_row(flag, value, names.description(name)))
  return lines


def _data_sets(old):
  """Each data set, with the sizes of its splits as they were."""
  sizes = dict(re.findall(r'^\| `(\w+)` \|.*\| (.*) \|$', old, re.MULTILINE))
  lines = _header('`--dataset`', 'images', 'train / validation / test')
  for name in data.DATASETS:
    if name not in sizes:
      raise ValueError(
        f'docs/data.md must say how large {name} is: put a row '
        f"'| `{name}` | | N / N / N |' into its table."
      )
    lines.append(
      _row(f'`{name}`', data.DATASETS.description(name), sizes[name])
    )
  return [*lines, _row('a path', 'your own images', 'as given')]


def _signatures(old):
  """What an exported model can be asked."""
  del old
  lines = _header('signature', 'inputs', 'outputs', 'what it gives')
  for name, signature in signatures.SIGNATURES.items():
    inputs, outputs = (
      ', '.join(f'`{key}`' for key in fields)
      for fields in (signature.inputs, signature.outputs)
    )
    lines.append(_row(f'`{name}`', inputs, outputs, signature.text))
  return lines


def _shipped(old):
  """Models that come with the package, and how they scored before."""
  del old
  words = 'test NLL, nats', 'codes an image', 'KL, nats', 'epochs', 'MB'
  lines = _header('`--preset`', *words)
  for model in pretrained.available():
    about, score = model.description.about, model.score
    size = sum(p.stat().st_size for p in model.directory.iterdir())
    lines.append(
      _row(
        f'`{model.name}`',
        f'{score["nll"]:.2f} +- {score["nll_stderr"]:.2f}',
        str(score['num_samples']),
        f'{score["rate"]:.2f}',
        _epochs(about),
        f'{size / 1e6:.1f}',
      )
    )
  return lines


def _epochs(about):
  """Epochs that were planned; before them those of what it started from."""
  start = about.get('started_from')
  before = f'{_epochs(start["about"])} + ' if start else ''
  return f'{before}{about["planned_epochs"]:g}'


_TABLES = {
  'data': {'data sets': _data_sets},
  'parts': {'parts': _parts},
  'sharing': {'signatures': _signatures, 'models': _shipped},
  'window': {'decoders': _decoders},
}


if __name__ == '__main__':
  for page in tables():
    path = DOCS / f'{page}.md'
    path.write_text(updated(page, path.read_text('utf-8')), 'utf-8')
  (DOCS / f'{FLAGS}.md').write_text(flags_page(), 'utf-8')
  print(f'wrote tables and flags in {DOCS}')
