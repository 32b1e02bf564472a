"""Configs as JSON, and how two of them differ."""

import dataclasses

import pytest

from vlae_tf.models import config
from vlae_tf.runs import config_files


def test_json_round_trip(tmp_path):
  original = config.Config(dataset='omniglot', learning_rate=1e-4, seed=3)
  config_files.save(original, tmp_path / 'deep' / 'config.json')
  assert config_files.load(tmp_path / 'deep' / 'config.json') == original


@pytest.mark.parametrize('text', ['', '{', '[]', '{"no_such_field": 1}'])
def test_a_file_that_is_no_config_is_named(tmp_path, text):
  path = tmp_path / 'config.json'
  path.write_text(text)
  with pytest.raises(ValueError, match=r'config\.json'):
    config_files.load(path)


def test_differences_name_fields_and_both_values():
  old, new = config.Config(seed=1), config.Config(seed=2, latent_size=9)
  assert config_files.differences(old, new) == [
    'seed: 1 there, 2 here',
    'latent_size: 64 there, 9 here',
  ]
  assert config_files.differences(old, dataclasses.replace(old)) == []


def test_only_a_constant_rate_lets_a_run_be_lengthened():
  for schedule, free in [('constant', True), ('linear', False)]:
    old = config.Config(learning_rate_schedule=schedule)
    new = dataclasses.replace(old, max_epochs=old.max_epochs + 1)
    assert (config_files.differences(old, new) == []) == free
