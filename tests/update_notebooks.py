"""Executes `notebooks/` in place: `python tests/update_notebooks.py [NAME...]`.

Kept are the outputs that a reader is to see, nothing of when and where.
"""

import os
import pathlib
import sys
import tempfile

import nbclient
import nbformat
import source_tree

FOLDER = source_tree.ROOT / 'notebooks'
_KERNEL = 'python3'
_MINUTES = 20


def names():
  """Names of all notebooks."""
  return sorted(path.stem for path in FOLDER.glob('*.ipynb'))


def read(name):
  """A notebook, a tree of dictionaries."""
  return nbformat.read(FOLDER / f'{name}.ipynb', as_version=4)


def executed(name):
  """A notebook as it is after all of its cells ran in a fresh kernel.

  Args:
    name: Name of the notebook.

  Returns:
    The notebook, with the outputs that are kept.

  Raises:
    nbclient.exceptions.CellExecutionError: A cell did not end well.
  """
  notebook = read(name)
  paths = [str(source_tree.ROOT), os.environ.get('PYTHONPATH', '')]
  environment = os.environ | {
    'PYTHONPATH': os.pathsep.join(filter(None, paths)),
    # What TensorFlow says of machines is for nobody who reads.
    'TF_CPP_MIN_LOG_LEVEL': '3',
  }
  with tempfile.TemporaryDirectory() as folder:
    client = nbclient.NotebookClient(
      notebook,
      timeout=60 * _MINUTES,
      kernel_name=_KERNEL,
      resources={'metadata': {'path': folder}},
      record_timing=False,
    )
    client.execute(env=environment)
  return _kept(notebook)


def _kept(notebook):
  """A notebook with the outputs that a reader is to see."""
  notebook.metadata.language_info = {'name': 'python'}
  for cell in notebook.cells:
    if cell.cell_type == 'code':
      cell.metadata = {}
      cell.outputs = [o for o in cell.outputs if o.get('name') != 'stderr']
      for output in cell.outputs:
        # Of a picture, which comes in two formats.
        output.get('data', {}).pop('image/jpeg', None)
  return notebook


def _write(name):
  path = pathlib.Path(FOLDER / f'{name}.ipynb')
  nbformat.write(executed(name), path)
  print(f'wrote {path}')


if __name__ == '__main__':
  for chosen in sys.argv[1:] or names():
    _write(chosen)
