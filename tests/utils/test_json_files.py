"""Tests of `vlae_tf.utils.json_files`, and of all that read JSON by it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlae_tf.formats import description, folder
from vlae_tf.models import config
from vlae_tf.reproduction import records as table_records
from vlae_tf.runs import records
from vlae_tf.utils import json_files, presets

_JSON = st.recursive(
  st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(),
  lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
  max_leaves=8,
)
_HOSTILE = {
  'empty': b'',
  'torn': b'{"seed": 1',
  'list': b'[{}]',
  'null': b'null',
  'number': b'1e999',
  'deep lists': b'[' * 100_000,
  'deep objects': b'{"a":' * 50_000 + b'1' + b'}' * 50_000,
  'deep enough to read': b'{"seed": ' + b'[' * 900 + b']' * 900 + b'}',
  'long integer': b'{"seed": ' + b'9' * 10_000 + b'}',
  'UTF-16': '{"seed": 1}'.encode('utf-16'),
  'not UTF-8': b'{"dataset": "\xff"}',
  'keys': b'{"no_such_field": 1}',
}
_READERS = {
  'config.json': records.read_config,
  'data.json': records.read_facts,
  'started_from.json': records.read_start,
  'model/config.json': lambda path: folder.read(path / 'model'),
  'results/tables/a.json': lambda path: table_records.read(path, 'a'),
}


@pytest.fixture
def put(tmp_path):
  """Writes a file of JSON, or of bytes, and returns `tmp_path`."""

  def put(name, content):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes):
      content = json.dumps(content).encode()
    path.write_bytes(content)
    return tmp_path

  return put


@given(st.dictionaries(st.text(), _JSON))
def test_what_is_written_is_read(tmp_path_factory, value):
  path = tmp_path_factory.mktemp('json') / 'a.json'
  json_files.write(path, value)
  assert json_files.read(path) == value
  path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())  # As Windows does.
  assert json_files.read(path) == value


def test_numbers_that_are_not_finite_are_null(tmp_path):
  value = {'a': [1.0, float('nan')], 'b': {'c': (float('inf'), 2)}, 'd': 'NaN'}
  json_files.write(tmp_path / 'x.json', value)
  found = json.loads((tmp_path / 'x.json').read_text())
  assert found == {'a': [1.0, None], 'b': {'c': [None, 2]}, 'd': 'NaN'}


@pytest.mark.parametrize('name', _READERS)
@pytest.mark.parametrize('kind', _HOSTILE)
def test_a_hostile_file_is_named_in_one_error(put, name, kind):
  path = put(name, _HOSTILE[kind])
  with pytest.raises(ValueError, match=name.split('/')[0]) as found:
    _READERS[name](path)
  assert len(str(found.value)) < 700


@pytest.mark.parametrize('kind', _HOSTILE)
def test_hostile_files_that_can_be_spared_are_passed_over(put, kind, capsys):
  for name in ('environment.json', 'eval/test.json'):
    path = put(name, _HOSTILE[kind])
  assert records.read_environment(path) in (
    {},
    {'no_such_field': 1},
    {'seed': None},
  )
  assert records.read_scores(path / 'eval') == []
  assert 'eval/test.json' in capsys.readouterr().err
  good = b'{"step": 1, "time": 2.0}\n'
  put('metrics.jsonl', good + _HOSTILE[kind].replace(b'\n', b'') + b'\n' + good)
  assert records.read_log(path) == 2 * [{'step': 1, 'time': 2.0}]


@pytest.mark.parametrize('value', [True, 'x', [], {}, 1.5, None, 10**30])
def test_no_value_of_another_type_is_taken(put, value):
  for name in ('seed', 'prior', *['free_bits'] * (value not in (1.5, 10**30))):
    with pytest.raises(ValueError, match=name):
      records.read_config(put('config.json', {name: value}))
  line = {'step': 1, 'time': 2.0, 'elbo': 3.0}
  for name in line:
    fits = name != 'step' and value in (1.5, 10**30) and value is not True
    fits |= name == 'elbo' and value is None
    path = put('metrics.jsonl', line | {name: value})
    assert len(records.read_log(path)) == fits
  score = {'num_images': 2, 'num_samples': 3, 'nll': 4.0}
  for name in ('num_images', 'num_samples'):
    put('eval/test.json', score | {name: value})
    assert records.read_scores(put('a', b'') / 'eval') == []


def test_a_score_of_an_earlier_version_with_nan_is_read(put):
  text = b'{"num_images": 1, "num_samples": 2, "nll_stderr": NaN}'
  (score,) = records.read_scores(put('eval/test.json', text) / 'eval')
  assert score == {'num_images': 1, 'num_samples': 2, 'nll_stderr': None}


def test_scores_without_a_step_are_ordered(put):
  for name, step in [('test', None), ('test_2', 3)]:
    score = {'num_images': 1, 'num_samples': 2, 'step': step}
    path = put(f'eval/{name}.json', score)
  found = records.read_scores(path / 'eval')
  assert max(found, key=records.fullness)['step'] == 3


@pytest.mark.parametrize(
  'about',
  [
    {'dataset': 3},
    {'environment': []},
    {'scores': {}},
    {'scores': [{'num_images': 1}]},
    {'scores': [{'num_images': 1, 'num_samples': True}]},
    {'scores': [{'num_images': 1, 'num_samples': 1, 'nll': '80'}]},
    {'started_from': 'a'},
    {'started_from': {'name': 'a', 'sha256': 'b'}},
    {'started_from': {'name': 'a', 'sha256': 'b', 'about': {'dataset': 1}}},
  ],
)
def test_facts_of_a_shared_model_have_their_types(about):
  with pytest.raises(ValueError, match=f'`about.{next(iter(about))}'):
    description.Description('1', (8, 8, 1), (2,), 3, about=about)


@pytest.mark.parametrize('mark', [b'', b'\xef\xbb\xbf'])
def test_a_byte_order_mark_in_a_flagfile_is_no_flag(put, mark):
  path = put('a.flags', mark + b'--seed=3\n')
  assert presets.expand([f'--flagfile={path}/a.flags']) == ['--seed=3']


def test_a_flagfile_without_an_end_is_refused():
  with pytest.raises(ValueError, match='more than 1048576 characters'):
    presets.expand(['--flagfile=/dev/zero'])


def test_forms_tell_types():
  form = {'a': int, 'b': ([float], None), 'c': ({str: str}, None)}
  for value in ({'a': 1}, {'a': 1, 'b': [1, 2.5], 'c': {'x': 'y'}, 'd': 0}):
    json_files.check(value, form)
  for value, words in [
    ({}, '`a` must be an integer, got None'),
    ({'a': np.array(1)}, '`a` must be an integer'),
    ({'a': 1, 'b': [1, '2']}, r'`b\[1\]` must be a number, got .2.'),
    ({'a': 1, 'b': 'x'}, '`b` must be a list or null, got .x.'),
    ({'a': 1, 'c': {'x': 1}}, '`c.x` must be a string, got 1'),
    ([], 'it must be an object, got'),
  ]:
    with pytest.raises(ValueError, match=words):
      json_files.check(value, form)


def test_every_config_is_read(put):
  fields = config.Config().__dict__
  assert records.read_config(put('config.json', fields)) == config.Config()
