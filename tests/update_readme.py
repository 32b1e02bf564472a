"""Writes README's tables of names: `python tests/update_readme.py`.

They say what is registered. A table lies between `<!-- NAME -->` and `<!-- end
of NAME -->`.
"""

import dataclasses
import re

import source_tree

from vlae_tf import config, data
from vlae_tf.components import decoders
from vlae_tf.exporting import signatures
from vlae_tf.system import registry

README = source_tree.ROOT / 'README.md'


def updated(text):
  """The text of README with its tables as the registries have them.

  Args:
    text: The text as it is.

  Returns:
    The text as it should be.

  Raises:
    ValueError: A table's place, or what only a person can fill in, is missing.
  """
  for name, table in _TABLES.items():
    begin, end = f'<!-- {name} -->\n', f'<!-- end of {name} -->\n'
    pattern = re.compile(f'(?<={begin})(.*?)(?={end})', re.DOTALL)
    found = pattern.findall(text)
    if len(found) != 1:
      raise ValueError(f'README must have {begin}...{end} once.')
    lines = '\n'.join(table(found[0]))
    text = pattern.sub(lambda _, lines=lines: f'\n{lines}\n\n', text)
  return text


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
        f"README must say how large {name} is: put a row '| `{name}` | | N / N "
        "/ N |' into the table of data sets."
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


_TABLES = {
  'decoders': _decoders,
  'parts': _parts,
  'data sets': _data_sets,
  'signatures': _signatures,
}


if __name__ == '__main__':
  README.write_text(updated(README.read_text('utf-8')), 'utf-8')
  print(f'wrote {README}')
