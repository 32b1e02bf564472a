"""A `griffe` extension that renders docstring examples as code."""

import griffe


class Doctests(griffe.Extension):
  """Fences the examples in docstrings."""

  def on_object(self, *, obj, **kwargs):
    """Fences the examples of an object's docstring."""
    del kwargs
    if obj.docstring:
      obj.docstring.value = fenced(obj.docstring.value)


def fenced(text):
  """Fences each example of a docstring, up to the next blank line."""
  lines, inside = [], False
  for line in [*text.splitlines(), '']:
    if not inside and line.lstrip().startswith('>>>'):
      inside = True
      lines.append('```pycon')
    elif inside and not line.strip():
      inside = False
      lines.append('```')
    lines.append(line)
  return '\n'.join(lines[:-1])
