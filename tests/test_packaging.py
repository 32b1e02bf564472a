"""What is imported is declared, and what is declared is used."""

import importlib.metadata
import re
import runpy
import sys

import pytest
import setuptools
import source_tree
from packaging import requirements

# Declared, not imported: TFDS and TensorBoard's writer need the first two;
# the third is for notebooks; ruff is run, as is xdist.
_NOT_IMPORTED = {
  'importlib-resources',
  'tensorboard',
  'matplotlib',
  'ruff',
  'pytest-xdist',
}


@pytest.fixture
def setup(monkeypatch):
  """The arguments of `setuptools.setup` in `setup.py`."""
  given = {}
  monkeypatch.setattr(setuptools, 'setup', given.update)
  monkeypatch.chdir(source_tree.ROOT)
  runpy.run_path('setup.py')
  return given


def _normal(name):
  return re.sub(r'[-_.]+', '-', name).lower()


def names(lines):
  """Names of the distributions that requirements ask for."""
  return {_normal(re.match(r'[\w.-]+', line).group()) for line in lines}


def imported(folder):
  """Names of the distributions that a folder's files import."""
  names = {
    module.split('.')[0]
    for file in source_tree.files(folder)
    for module, _ in source_tree.imported_names(file)
    if not source_tree.is_first_party(module)
  }
  owners = importlib.metadata.packages_distributions()
  return {
    _normal(owners[name][0]) for name in names - set(sys.stdlib_module_names)
  }


def test_the_package_declares_what_it_imports(setup):
  declared = names(setup['install_requires'])
  assert declared - _NOT_IMPORTED == imported('vlae_tf') - _NOT_IMPORTED


def test_the_tests_declare_what_they_import(setup):
  extra = names(setup['extras_require']['test'])
  assert extra <= imported('tests') | _NOT_IMPORTED
  assert imported('tests') <= extra | names(setup['install_requires'])


def test_what_is_installed_is_in_the_declared_range(setup):
  for line in setup['install_requires']:
    requirement = requirements.Requirement(line)
    version = importlib.metadata.version(requirement.name)
    assert requirement.specifier.contains(version), line


def test_every_folder_with_modules_is_a_package(setup):
  folders = {f.rsplit('/', 1)[0] for f in source_tree.files('vlae_tf')}
  assert {f.replace('/', '.') for f in folders} == set(setup['packages'])


def test_python_3_10_is_enough(setup):
  assert setup['python_requires'] == '>=3.10'
