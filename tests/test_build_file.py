"""Bazel reads `BUILD`, and every file is in one of its targets."""

import shutil
import subprocess

import pytest
import source_tree

_RULES = ('py_library', 'py_binary', 'py_test')


@pytest.fixture(scope='module')
def labels(tmp_path_factory):
  """All targets and their sources.

  Asked of Debian's Bazel 4, which reads no MODULE.bazel: rules can come from a
  stub.
  """
  bazel = shutil.which('bazel')
  if bazel is None:
    pytest.skip("needs the bazel of Debian's package bazel-bootstrap")
  version = subprocess.check_output([bazel, '--version'], text=True)
  if not version.startswith(('bazel no_version', 'bazel 4')):
    pytest.skip(f'needs Bazel 4, got {version}')
  folder = tmp_path_factory.mktemp('bazel')
  stub = folder / 'rules_python'
  (stub / 'python').mkdir(parents=True)
  (stub / 'WORKSPACE').write_text('workspace(name = "rules_python")\n')
  (stub / 'python' / 'BUILD').write_text('')
  (stub / 'python' / 'defs.bzl').write_text(
    ''.join(f'{rule} = native.{rule}\n' for rule in _RULES)
  )
  root = f'--output_user_root={folder / "out"}'
  override = f'--override_repository=rules_python={stub}'
  query = '//... union labels(srcs, //...)'
  found = subprocess.run(
    [bazel, '--batch', root, 'query', query, override],
    cwd=source_tree.ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert found.returncode == 0, found.stderr
  return {line.removeprefix('//:') for line in found.stdout.splitlines()}


def test_every_command_and_test_is_a_target(labels):
  for file in source_tree.all_files():
    is_test = file.split('/')[-1].startswith('test_')
    if is_test or source_tree.is_command(file):
      assert file in labels


def test_every_file_is_in_a_target(labels):
  assert {f'{file}.py' for file in source_tree.all_files()} <= labels
