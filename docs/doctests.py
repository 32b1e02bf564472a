"""Shows the examples in docstrings as code: an extension of `griffe`."""

import griffe


class Doctests(griffe.Extension):
  """Puts a fence around each example of a docstring."""

  def on_object(self, *, obj, **kwargs):
    """Changes the docstring of whatever has one."""
    del kwargs
    if obj.docstring:
      obj.docstring.value = fenced(obj.docstring.value)


def fenced(text):
  """A docstring whose examples, up to a blank line each, are fenced."""
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
