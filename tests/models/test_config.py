"""Configs: bounds, types and defaults."""

import numpy as np
import pytest

from vlae_tf.models import config


@pytest.mark.parametrize(
  'field, value, words',
  [
    ('latent_size', -1, 'at least 0'),
    ('latent_size', 2.5, 'type int'),
    ('decoder_tied', 1, 'type bool'),
    ('latent_size', True, 'type int'),
    ('learning_rate', float('nan'), 'finite'),
    # TensorFlow would make infinity of one and zero of the other.
    ('learning_rate', 1e39, 'float32'),
    ('learning_rate', 1e-46, 'float32'),
    ('kl_warmup_steps', 2**63, r'below 2\*\*63'),
    ('max_epochs', float('inf'), 'finite'),
    ('max_epochs', 1e38, 'at most'),
    ('max_epochs', True, 'type float'),
    ('seed', 2**31 - 1, 'at most'),
    ('polyak_decay', 1.5, 'at most 1'),
    ('train_on', 'test', 'one of'),
    ('encoder_widths', '1,0', 'positive integers'),
    ('encoder_widths', '', 'positive integers'),
    ('encoder_widths', '4,,4', 'positive integers'),
    ('encoder_widths', '4,99999', 'at most'),
    ('decoder_units', 99_999_999, 'at most'),
    ('window', '999x2', 'at most'),
  ],
)
def test_a_bad_field_is_named(field, value, words):
  with pytest.raises(ValueError, match=f'`{field}` must be .*{words}'):
    config.Config(**{field: value})


def test_numbers_of_other_types_become_pythons():
  made = config.Config(max_epochs=30, seed=np.int64(3), beta=np.float32(0.5))
  assert (made.max_epochs, made.seed, made.beta) == (30.0, 3, 0.5)
  assert [type(x) for x in (made.max_epochs, made.seed, made.beta)] == [
    float,
    int,
    float,
  ]


@pytest.mark.parametrize(
  'follower',
  [dict(learning_rate_schedule='plateau'), dict(early_stopping_patience=3)],
)
def test_nothing_follows_a_validation_that_says_nothing(follower):
  with pytest.raises(ValueError, match="`train_on` must be 'train' with --"):
    config.Config(train_on='train+validation', **follower)
  with pytest.raises(ValueError, match='`validate_every_epochs` must be more'):
    config.Config(validate_every_epochs=0, **follower)


def test_the_defaults_are_the_papers():
  defaults = config.Config()
  paper = dict(
    latent_size=64,
    encoder_widths='16,32,32',
    encoder_units=450,
    flow_steps=4,
    flow_units=640,
    decoder_units=12,
    decoder_depth=6,
    decoder_features=4,
    free_bits=0.01,
    learning_rate=0.002,
    polyak_decay=0.998,
  )
  for name, value in paper.items():
    assert getattr(defaults, name) == value
