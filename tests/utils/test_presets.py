"""Flagfiles and presets are expanded as absl does it, but from anywhere."""

import subprocess
import sys

import pytest
import source_tree
from absl import flags

from vlae_tf.utils import presets


@pytest.fixture
def write(tmp_path, monkeypatch):
  """A function that writes a file below an empty working directory."""
  (tmp_path / 'here').mkdir()
  monkeypatch.chdir(tmp_path / 'here')

  def write(name, *lines):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines), encoding='utf-8')
    return path

  return write


def _message(*args):
  with pytest.raises(ValueError) as error:
    presets.expand(args)
  return str(error.value)


def test_agrees_with_absl_where_absl_finds_the_files(write):
  inner = write('inner.flags', '', '# --a=0', '// no', '--b', '--a=2  ', '-c=3')
  outer = write('outer.flags', '--a=1', f'--flagfile={inner}', f'--w={inner}')
  write('here/local', '--c=4')
  values = flags.FlagValues()
  flags.DEFINE_bool('b', False, '', flag_values=values)
  for name in 'acw':
    flags.DEFINE_string(name, '', '', flag_values=values)
  for args in (
    [f'--flagfile={outer}', '--a=5'],
    ['--a', '5', '-flagfile', str(outer), '--nob'],
    ['--b', '--flagfile=local'],
    ['--a=--flagfile=no', '--', f'--flagfile={outer}'],
  ):
    assert presets.expand(args) == values.read_flags_from_files(args)


def test_presets_include_each_other_from_any_directory(write):
  mine = write('mine.flags', '--preset=omniglot_gaussian_prior', '--seed=1')
  expected = [
    '--train_on=train+validation',
    '--dataset=omniglot',
    '--learning_rate=0.008',
    '--prior=gaussian',
    '--workdir=runs/omniglot_gaussian_prior',
    '--seed=1',
  ]
  args = ['--preset', 'omniglot_gaussian_prior', '--seed=1']
  assert presets.expand([f'--flagfile={mine}']) == expected
  assert presets.expand(args) == expected


def test_a_relative_file_is_beside_the_including_one_or_in_the_directory(write):
  outer = write('a/outer', '--flagfile=x', '--flagfile=sub/x', '--flagfile=y')
  write('a/x', '--place=a')
  write('a/sub/x', '--place=a/sub')
  write('here/x', '--place=here')
  write('here/y', '--place=here/y')
  assert presets.expand([f'--flagfile={outer}', '--flagfile=x']) == [
    '--place=a',
    '--place=a/sub',
    '--place=here/y',
    '--place=here',
  ]


def test_a_file_may_come_twice_but_not_include_itself(write):
  write('here/leaf', '--a=1')
  write('here/both', '--flagfile=leaf', '--flagfile=leaf')
  assert presets.expand(['--flagfile=both']) == ['--a=1', '--a=1']
  write('here/one', '--flagfile=two')
  write('here/two', '--flagfile=./one')
  message = _message('--flagfile=one')
  assert message == '`flagfile` must not include itself, got one -> two -> one.'


def test_what_is_not_there_is_named_with_the_nearest(write):
  write('here/mine.flags', '--preset=omniglod')
  assert "got 'omniglod'. Did you mean 'omniglot'?" in (
    _message('--flagfile=mine.flags')
  )
  assert "got 'min.flags'. Did you mean 'mine.flags'?" in (
    _message('--flagfile=min.flags')
  )
  assert _message('--flagfile=flags/final.flags').endswith(
    "got 'flags/final.flags'. Did you mean --preset=final?"
  )
  assert _message('--flagfile=/no/such') == (
    "`flagfile` must be a file, got '/no/such'."
  )
  assert "got ''" in _message('--flagfile=')
  assert "got ''" in _message('--preset=')
  assert "'--preset' alone" in _message('--seed=1', '--preset')


def test_what_cannot_be_read_is_named(write):
  write('here/outer', '--flagfile=inner')
  assert "in outer must be a file, got 'inner'" in _message('--flagfile=outer')
  assert '`flagfile` /proc cannot be read' in _message('--flagfile=/proc')
  (write('here/outer').parent / 'inner').write_bytes(b'\xff\xfe')
  assert '`flagfile` inner cannot be read' in _message('--flagfile=inner')


def test_a_command_without_presets_leaves_them_alone():
  args = ['--preset=omniglot', '--no=file']
  assert presets.expand(args, ['flagfile']) == args


def test_finding_presets_imports_no_heavy_package():
  code = 'import sys; from vlae_tf.utils import presets; presets.expand('
  code += '["--preset=omniglot"]); print(*sys.modules)'
  modules = subprocess.check_output(
    [sys.executable, '-c', code], cwd=source_tree.ROOT, text=True
  ).split()
  assert not {'absl', 'numpy', 'tensorflow', 'keras'} & set(modules)
