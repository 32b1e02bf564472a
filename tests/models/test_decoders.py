"""Decoders by name: each makes a law that trains and samples."""

import pytest
import tensorflow as tf

from vlae_tf.models import builder, config, decoders

_SMALL = dict(
  latent_size=3,
  encoder_widths='4',
  encoder_units=8,
  flow_steps=1,
  flow_units=8,
  decoder_units=6,
  decoder_depth=2,
)
# Any other may be tied.
_UNTIED = ('gated_pixelcnn', 'pixelcnn_pp', 'grey_pixelcnn_pp')
_TIED = [name for name in decoders.NETWORKS if name not in _UNTIED]


def _model(**fields):
  return builder.build_model(config.Config(**_SMALL, **fields), (8, 9, 1))


@pytest.mark.parametrize('name', _TIED)
def test_tying_leaves_fewer_weights(name):
  untied, tied = (
    decoders.NETWORKS[name](
      config.Config(decoder=name, decoder_depth=4, decoder_tied=tied), 1
    )
    for tied in (False, True)
  )
  for network in (untied, tied):
    network.build((None, 8, 9, 1), (None, 8, 9, 2))
  assert tied.count_params() < untied.count_params()


def test_samplers_are_compiled_once():
  vlae = _model()
  for seed in range(3):
    z = tf.random.stateless_normal([2, 3], [0, seed])
    vlae.likelihood(z).sample(seed=(1, seed))
  assert vlae.likelihood.network.num_compiled == 1


@pytest.mark.parametrize(
  'fields, message',
  [
    (dict(decoder='rnn'), '`decoder` must be one of'),
    (dict(window='4'), '`window` must be a width and a height'),
    (dict(window='0x2'), '`window` must be a width and a height'),
    (dict(vertical_filter=4), '`vertical_filter` must be odd, got 4'),
    (dict(horizontal_filter=6), '`horizontal_filter` must be odd, got 6'),
    (dict(downsampling=1), '`downsampling` must be at least 2'),
    (
      dict(decoder='gated_pixelcnn', decoder_tied=True),
      '`decoder_tied` must be false',
    ),
  ],
)
def test_bad_flags_are_errors(fields, message):
  with pytest.raises(ValueError, match=message):
    config.Config(**fields)


def test_a_window_that_no_image_fills_is_an_error():
  with pytest.raises(ValueError, match='`window` must be at most'):
    _model(decoder='window', window='100x1')
