"""Updates the generated parts of the guide: `python tests/update_docs.py`.

Tables of registered names lie between `<!-- NAME -->` and
`<!-- end of NAME -->` on their pages. The page of flags is generated from the
commands.
"""

import dataclasses
import re

import command_flags
import source_tree

from vlae_tf import data
from vlae_tf.exporting import saved_model
from vlae_tf.formats import folder
from vlae_tf.models import config, decoders
from vlae_tf.runs import pretrained
from vlae_tf.utils import registry

DOCS = source_tree.ROOT / 'docs'
FLAGS = 'flags'


def tables():
  """Names of pages with tables of registered names, without `.md`."""
  return list(_TABLES)


def updated(page, text):
  """Updates the tables of a page from the registries.

  Args:
    page: Name of the page, from `tables`.
    text: Current text.

  Returns:
    The updated text.

  Raises:
    ValueError: The markers of a table or the sizes of a data set are missing.
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
  """Page of all flags of all commands."""
  parts = [_FLAGS_HEAD]
  for command, facts in command_flags.described().items():
    title, _, rest = facts['doc'].strip().partition('\n')
    about = f'{title}\n{rest}'.strip()
    known = sorted(facts['flags'], key=lambda flag: not flag['needed'])
    rows = [_row(*_flag_cells(flag)) for flag in known]
    lines = [*_header('flag', 'default', 'description'), *rows]
    table = '\n'.join(lines) if known else 'No flags.'
    parts.append(f'## {command}\n\n{about}\n\n{table}\n')
  return '\n'.join(parts)


_FLAGS_HEAD = """\
# Command-line flags

<!-- Written by `python tests/update_docs.py`: do not edit. -->

This page lists the flags of each command, as does `--help`. All commands also
accept `--flagfile=FILE`, a file with one flag per line, and `--tf32`, which
allows TF32 matrix products on GPUs (10-bit mantissa). For a flag
`--[no]name`, `--name` is true and `--noname` is false.
"""


def _flag_cells(flag):
  default = '' if flag['default'] is None else f'`{flag["default"]}`'
  words = flag['help']
  # The help describes registered names.
  missing = [v for v in flag['values'] if not re.search(rf'\b{v}\b', words)]
  if missing:
    words = f'{words} One of {", ".join(f"`{v}`" for v in flag["values"])}.'
  words = words.replace('<', '&lt;')
  return (
    f'`{flag["name"]}`',
    'required' if flag['needed'] else default,
    words,
  )


def _row(*cells):
  escaped = (cell.replace('|', '\\|') for cell in cells)
  return f'| {" | ".join(escaped)} |'


def _header(*cells):
  return [_row(*cells), '|' + '---|' * len(cells)]


def _decoders(old):
  """Receptive field of each decoder."""
  del old
  names = decoders.NETWORKS
  return [
    *_header('`--decoder`', 'receptive field'),
    *(_row(f'`{name}`', names.description(name)) for name in names),
  ]


def _parts(old):
  """Components other than decoders that are selected by name."""
  del old
  lines = _header('flag', 'value', 'description')
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
  """Data sets, with the split sizes of the current table."""
  sizes = dict(re.findall(r'^\| `(\w+)` \|.*\| (.*) \|$', old, re.MULTILINE))
  lines = _header('`--dataset`', 'images', 'train / validation / test')
  for name in data.DATASETS:
    if name not in sizes:
      raise ValueError(
        f'docs/data.md lacks the split sizes of {name}: add a row '
        f"'| `{name}` | | N / N / N |' to its table."
      )
    lines.append(
      _row(f'`{name}`', data.DATASETS.description(name), sizes[name])
    )
  return [*lines, _row('a path', 'user images', 'as given')]


def _signatures(old):
  """Signatures of an exported model."""
  del old
  lines = _header('signature', 'inputs', 'outputs', 'description')
  for name, signature in saved_model.SIGNATURES.items():
    inputs, outputs = (
      ', '.join(f'`{key}`' for key in fields)
      for fields in (signature.inputs, signature.outputs)
    )
    lines.append(_row(f'`{name}`', inputs, outputs, signature.text))
  return lines


def _shipped(old):
  """Pretrained models of the package, with their scores."""
  del old
  words = 'test NLL, nats', 'importance samples', 'KL, nats', 'epochs', 'MB'
  lines = _header('`--preset`', *words)
  for name in pretrained.names():
    directory = pretrained.SHIPPED / name
    about = folder.read(directory).about
    score = about['scores'][0]
    size = sum(p.stat().st_size for p in directory.iterdir())
    lines.append(
      _row(
        f'`{name}`',
        f'{score["nll"]:.2f} +- {score["nll_stderr"]:.2f}',
        str(score['num_samples']),
        f'{score["rate"]:.2f}',
        _epochs(about),
        f'{size / 1e6:.1f}',
      )
    )
  return lines


def _epochs(about):
  """Planned epochs, preceded by those of the model it was initialised from."""
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
