"""Each preset in `flags/` is its difference from its parent, and no more."""

import dataclasses

import command_flags
import pytest
import source_tree
from absl import flags

from vlae_tf.models import config as config_lib
from vlae_tf.utils import presets

_FLAGFILES = sorted((source_tree.ROOT / 'flags').glob('*.flags'))
_NAMES = [path.stem for path in _FLAGFILES]


@pytest.fixture(scope='module')
def values():
  """Values of all flags, by preset; '' for none."""
  return {preset: _values(preset) for preset in ['', *_NAMES]}


def _values(preset):
  args = presets.expand([f'--preset={preset}'] if preset else [])
  with command_flags.defined('train') as (_, names):
    known = flags.FLAGS
    known.unparse_flags()
    known(['train', *args])
    config_lib.from_flags(known)
    return {name: known[name].value for name in names}


def _lines(path):
  lines = [line.strip() for line in path.read_text().splitlines()]
  return [line for line in lines if line and not line.startswith('#')]


@pytest.mark.parametrize('path', _FLAGFILES, ids=lambda path: path.stem)
def test_says_only_what_differs_from_its_parent(path, values):
  first, *rest = _lines(path)
  parent = ''
  if first.startswith('--preset='):
    parent = first.removeprefix('--preset=')
  else:
    rest = [first, *rest]
  named = {line.removeprefix('--').split('=')[0] for line in rest}
  assert len(named) == len(rest) > 0
  here, there = values[path.stem], values[parent]
  changed = config_lib.renamed(
    {name: True for name in here if here[name] != there[name]}
  ).keys()
  assert {n if n in here else n.removeprefix('no') for n in named} == changed


def test_a_flagfile_of_a_checkout_is_the_preset_of_its_name(monkeypatch):
  monkeypatch.chdir(source_tree.ROOT)
  assert presets.names() == _NAMES
  for name in _NAMES:
    path = f'--flagfile=flags/{name}.flags'
    assert presets.expand([path]) == presets.expand([f'--preset={name}']) != []


@pytest.mark.parametrize('name', _NAMES)
def test_a_preset_is_the_same_experiment_without_a_command(name, values):
  fields = dataclasses.asdict(config_lib.from_preset(name))
  assert fields == {field: values[name][field] for field in fields}


def test_the_defaults_are_the_papers_run(values):
  defaults = values['']
  expected = {
    'latent_size': 64,
    'encoder_widths': '16,32,32',
    'encoder_units': 450,
    'prior': 'flow',
    'flow_steps': 4,
    'flow_units': 640,
    'decoder_units': 12,
    'decoder_depth': 6,
    'free_bits': 0.01,
    'learning_rate': 0.002,
    'polyak_decay': 0.998,
  }
  assert {name: defaults[name] for name in expected} == expected
