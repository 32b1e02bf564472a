"""`BUILD` says of every file what it is and what it imports."""

import ast
import shutil
import subprocess

import pytest
import source_tree
import update_build

_RULES = ('py_library', 'py_binary', 'py_test')
_AGAIN = 'run: python tests/update_build.py'


def read_targets(text):
  """Targets of a `BUILD` file, which is Python syntax, by their first source.

  Args:
    text: Contents of the file.

  Returns:
    A dictionary from a path without `.py` to a dictionary of the attributes,
    with the rule's name as 'rule'.
  """
  targets = {}
  for node in ast.parse(text).body:
    call = node.value
    if call.func.id in _RULES:
      target = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
      file = target['srcs'][0].removesuffix('.py')
      assert file not in targets, f'two targets for {file}.py'
      targets[file] = {'rule': call.func.id, **target}
  return targets


def problems(targets):
  """What is wrong with the dependencies of targets, a line for each."""
  found = []
  for file, target in targets.items():
    deps = {label.removeprefix(':') for label in target.get('deps', [])}
    demanded = source_tree.imports(file)
    found += [f'{file}: missing dep :{d}' for d in demanded - deps]
    found += [f'{file}: superfluous dep :{d}' for d in deps - demanded]
  return sorted(found)


@pytest.fixture(scope='module')
def targets():
  path = source_tree.ROOT / 'BUILD'
  return read_targets(path.read_text(encoding='utf-8'))


def test_every_file_has_a_target_and_every_target_a_file(targets):
  files = source_tree.all_files()
  assert set(files) - set(targets) == set(), _AGAIN
  assert set(targets) - set(files) == set(), _AGAIN


def test_dependencies_are_the_imports(targets):
  assert not problems(targets), _AGAIN


def test_the_rule_fits_the_file(targets):
  rules = {file: target['rule'] for file, target in targets.items()}
  assert rules == {file: update_build.rule(file) for file in targets}, _AGAIN
  assert rules['vlae_tf/train'] == 'py_binary'
  assert rules['vlae_tf/model'] == 'py_library'
  assert rules['tests/test_build_file'] == 'py_test'


def test_the_build_file_is_the_generated_one():
  text = (source_tree.ROOT / 'BUILD').read_text(encoding='utf-8')
  assert text == update_build.build_file(), _AGAIN


def _debians_bazel():
  """Bazel 4, which reads no MODULE.bazel: rules can come from a stub."""
  bazel = shutil.which('bazel')
  if bazel:
    version = subprocess.check_output([bazel, '--version'], text=True)
    if version.startswith(('bazel no_version', 'bazel 4')):
      return bazel
  pytest.skip("needs the bazel of Debian's package bazel-bootstrap")


def test_bazel_accepts_the_build_file(targets, tmp_path):
  bazel = _debians_bazel()
  stub = tmp_path / 'rules_python'
  (stub / 'python').mkdir(parents=True)
  (stub / 'WORKSPACE').write_text('workspace(name = "rules_python")\n')
  (stub / 'python' / 'BUILD').write_text('')
  (stub / 'python' / 'defs.bzl').write_text(
    ''.join(f'{rule} = native.{rule}\n' for rule in _RULES)
  )
  root = f'--output_user_root={tmp_path / "out"}'
  override = f'--override_repository=rules_python={stub}'
  found = subprocess.run(
    [bazel, '--batch', root, 'query', '//...', override],
    cwd=source_tree.ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert found.returncode == 0, found.stderr
  labels = {line.removeprefix('//:') for line in found.stdout.splitlines()}
  assert labels == {t['name'] for t in targets.values()} | {'repository'}


def test_a_wrong_dependency_is_named():
  wrong = """
py_library(
    name = "tests/update_build",
    srcs = ["tests/update_build.py"],
    deps = [":vlae_tf/system/seeds"],
)
"""
  assert problems(read_targets(wrong)) == [
    'tests/update_build: missing dep :tests/source_tree',
    'tests/update_build: superfluous dep :vlae_tf/system/seeds',
  ]
