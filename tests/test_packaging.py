"""What is imported is declared, what is declared is used and installed."""

import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile

import pytest
import setuptools
import source_tree
from packaging import requirements, version

from vlae_tf.utils import launcher, presets

# Declared, not imported: TFDS needs the first two, TensorBoard's writer the
# third, notebooks the next ones; the others are run, those of the guide by
# MkDocs.
_NOT_IMPORTED = {
  'importlib-resources',
  'protobuf',
  'tensorboard',
  'ipykernel',
  'mypy',
  'import-linter',
  'ruff',
  'pytest-xdist',
  'latex2mathml',
  'mkdocs',
  'mkdocs-material',
  'mkdocstrings',
  'pymdown-extensions',
}
_PRESETS = 'vlae_tf.presets'


@pytest.fixture
def setup(monkeypatch):
  """The arguments of `setuptools.setup` in `setup.py`."""
  given = {}
  monkeypatch.setattr(setuptools, 'setup', given.update)
  monkeypatch.chdir(source_tree.ROOT)
  runpy.run_path('setup.py')
  return given


def _text(file):
  return (source_tree.ROOT / file).read_text(encoding='utf-8')


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
    there = importlib.metadata.version(requirement.name)
    assert requirement.specifier.contains(there), line


def test_every_folder_with_modules_is_a_package(setup):
  folders = {f.rsplit('/', 1)[0] for f in source_tree.files('vlae_tf')}
  packages = {f.replace('/', '.') for f in folders}
  assert packages | {_PRESETS} == set(setup['packages'])


def test_python_3_10_is_enough(setup):
  assert setup['python_requires'] == '>=3.10'
  for file in (
    '.github/workflows/exhaustive.yml',
    'pyproject.toml',
    'README.md',
  ):
    assert re.search(r'\b3\.10\b', _text(file)), file


def test_the_oldest_versions_are_the_declared_ones(setup):
  declared = [*setup['install_requires'], *setup['extras_require']['test']]
  bounds = {}
  for line in map(requirements.Requirement, declared):
    for bound in line.specifier:
      if bound.operator == '>=':
        bounds[_normal(line.name)] = version.Version(bound.version)
  lines = _text('run_scripts/oldest.txt').splitlines()
  pinned = [line.split('==') for line in lines if not line.startswith('#')]
  assert {_normal(n): version.Version(v) for n, v in pinned} == bounds


def test_all_files_speak_of_one_version(setup):
  found = {
    file: re.search(pattern, _text(file), re.MULTILINE).group(1)
    for file, pattern in (
      ('CHANGELOG.md', r'^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$'),
      ('CITATION.cff', r'^version: (.*)$'),
      ('MODULE.bazel', r'name = "vlae_tf", version = "(.*)"'),
      ('vlae_tf/__init__.py', r"^__version__ = '(.*)'$"),
    )
  }
  assert set(found.values()) == {setup['version']}, found


def test_licence_and_citation_agree(setup):
  licence = _text('LICENSE')
  assert 'Apache License\n' in licence and 'Version 2.0' in licence
  assert re.search(r'Copyright \d{4} The vlae_tf authors', licence)
  assert setup['license'] == 'Apache-2.0'
  assert setup['license_files'] == ['LICENSE']
  citation = _text('CITATION.cff')
  for line in ('cff-version: 1.2.0', 'license: Apache-2.0'):
    assert f'\n{line}\n' in f'\n{citation}'
  assert 'arXiv:1611.02731' in citation and '1611.02731' in _text('README.md')


def test_what_others_run_is_pinned():
  hooks = re.findall(r'^ +rev: (.*)$', _text('.pre-commit-config.yaml'), re.M)
  assert all(re.fullmatch(r'v\d+\.\d+\.\d+', rev) for rev in hooks) and hooks
  workflow = ''.join(
    _text(f'.github/workflows/{name}.yml') for name in ('ci', 'exhaustive')
  )
  actions = re.findall(r'uses: \S+@(\S+) # v\d', workflow)
  assert all(re.fullmatch('[0-9a-f]{40}', commit) for commit in actions)
  assert len(actions) == workflow.count('uses:') > 0
  for script in re.findall(r'run: (\S+)', workflow):
    assert os.access(source_tree.ROOT / script, os.X_OK), script


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
  """What `pip install` would copy, built from a copy of the repository."""
  root = tmp_path_factory.mktemp('build')
  for name in ('vlae_tf', 'flags'):
    shutil.copytree(source_tree.ROOT / name, root / 'source' / name)
  for name in ('setup.py', 'README.md', 'LICENSE'):
    shutil.copy(source_tree.ROOT / name, root / 'source')
  command = ['setup.py', '-q', 'build', f'--build-base={root}/base']
  command += [f'--build-lib={root}/installed']
  subprocess.run(
    [sys.executable, *command], cwd=root / 'source', check=True, timeout=600
  )
  return root / 'installed'


@pytest.mark.exhaustive('builds the package')
def test_every_module_preset_and_model_is_installed(installed):
  files = {str(p.relative_to(installed)) for p in installed.rglob('*.*')}
  modules = {f'{file}.py' for file in source_tree.files('vlae_tf')}
  presets = (source_tree.ROOT / 'flags').glob('*.flags')
  data = {f'vlae_tf/presets/{path.name}' for path in presets}
  shared = (source_tree.ROOT / 'vlae_tf/pretrained_models').rglob('*.*')
  models = {str(path.relative_to(source_tree.ROOT)) for path in shared}
  others = {'vlae_tf/py.typed', 'vlae_tf/reproduction/paper.json'}
  templates = 'vlae_tf/formats/templates'
  others |= {f'{templates}/{x}.md.jinja' for x in ('card', 'saved_model')}
  templates = 'vlae_tf/reporting/templates'
  others |= {f'{templates}/page.{x}' for x in ('css', 'js', 'html.jinja')}
  assert files == modules | data | models | others
  assert len(data) > 5 and len(models) >= 3


def test_there_is_a_script_for_every_command(setup):
  scripts = dict(
    script.split(' = ') for script in setup['entry_points']['console_scripts']
  )
  commands = {
    file.removeprefix('vlae_tf/')
    for file in source_tree.files('vlae_tf')
    if source_tree.is_command(file)
  }
  assert scripts == {
    f'vlae-{name.replace("_", "-")}': f'vlae_tf.utils.launcher:{name}'
    for name in commands
  }
  for name in commands:
    assert getattr(launcher, name).args == (f'vlae_tf.{name}',)


@pytest.mark.exhaustive('builds the package')
def test_a_source_distribution_is_the_repository(tmp_path):
  listed = ['git', 'ls-files', '--cached', '--others', '--exclude-standard']
  try:
    tracked = subprocess.check_output(listed, cwd=source_tree.ROOT, text=True)
  except (OSError, subprocess.CalledProcessError):
    pytest.skip('no git here')
  names = {n for n in tracked.split('\n') if (source_tree.ROOT / n).is_file()}
  for name in names:
    (tmp_path / 'source' / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source_tree.ROOT / name, tmp_path / 'source' / name)
  command = [sys.executable, 'setup.py', '-q', 'sdist', f'-d{tmp_path}']
  subprocess.run(command, cwd=tmp_path / 'source', check=True, timeout=600)
  (archive,) = tmp_path.glob('*.tar.gz')
  with tarfile.open(archive) as contents:
    there = {name.partition('/')[2] for name in contents.getnames()}
  assert names - there == set()


@pytest.mark.exhaustive('builds the package')
def test_installed_presets_are_found_from_anywhere(installed, tmp_path):
  code = 'from vlae_tf.utils import presets; print(presets.folder()); '
  code += 'print(*presets.expand(["--preset=omniglot_gaussian_prior"]))'
  printed = subprocess.check_output(
    [sys.executable, '-c', code],
    cwd=tmp_path,
    env=os.environ | {'PYTHONPATH': str(installed)},
    text=True,
  )
  folder, args = printed.splitlines()
  assert folder == str(installed.resolve() / 'vlae_tf' / 'presets')
  assert args.split() == presets.expand(['--preset=omniglot_gaussian_prior'])
