"""The examples in docstrings do what they say, and who meets users has one."""

import ast
import doctest
import importlib

import keras
import pytest
import source_tree

pytestmark = pytest.mark.usefixtures('all_eagerly')

_NODES = (ast.Module, ast.ClassDef, ast.FunctionDef)
_WITH_ONE = """
  AutoregressiveDecoder AutoregressiveFlowPrior AutoregressiveImage
  AutoregressiveShift CategoricalPixel CodeProbe Config
  DiagonalGaussianPosterior Evaluator FreeBits GaussianPrior HoldThenLinear
  ImageData ImportanceWeighted MADE PixelCNN Terms Trainer VLAE WarmUp
  WeightNormDense WindowCNN build_model draw find sample_prior
""".split()


def examples():
  """The docstrings with examples, found without importing a command.

  Returns:
    A dictionary from `FILE:NAME` to the file's module, and to docstring and
    line.
  """
  found = {}
  for file in source_tree.files('vlae_tf'):
    if '>>>' not in source_tree.text(file):
      continue
    module = file.removesuffix('/__init__').replace('/', '.')
    for node in ast.walk(source_tree.parse(file)):
      text = isinstance(node, _NODES) and ast.get_docstring(node)
      if text and '>>>' in text:
        key = f'{file}:{getattr(node, "name", "")}'
        found[key] = module, text, node.body[0].lineno
  return found


_EXAMPLES = examples()


def test_no_command_has_one():
  # Its flags would be defined in the process of the tests.
  files = {key.split(':')[0] for key in _EXAMPLES}
  assert not [f for f in files if source_tree.is_command(f)]


def test_what_users_meet_first_has_one():
  assert set(_WITH_ONE) <= {key.split(':')[1] for key in _EXAMPLES}
  assert len(_WITH_ONE) >= 15


@pytest.mark.parametrize('key', _EXAMPLES)
def test_does_what_it_says(key):
  module, text, line = _EXAMPLES[key]
  names = dict(vars(importlib.import_module(module)))
  example = doctest.DocTestParser().get_doctest(text, names, key, None, line)
  keras.utils.set_random_seed(0)
  report = []
  result = doctest.DocTestRunner().run(example, out=report.append)
  assert result.attempted and not result.failed, ''.join(report)
