"""A card says what the data say, in a header that a YAML reader reads."""

import dataclasses
import re

import yaml

from vlae_tf.formats import card, description

_SCORE = {
  'nll': 92.2345,
  'nll_stderr': 0.3312,
  'elbo': -93.0678,
  'elbo_stderr': 0.3356,
  'gap': 0.8333,
  'gap_stderr': 0.0111,
  'rate': 8.951,
  'rate_stderr': 0.0123,
  'rate_bits': 12.9136,
  'distortion': 84.1,
  'bits_per_dim': 0.169777,
  'num_images': 8070,
  'num_samples': 16,
  'split': 'test',
  'checkpoint': 'last',
}
_ABOUT = {
  'dataset': 'omniglot',
  'train_on': 'train+validation',
  'data_sha256': 'b80e',
  'steps': 14_607,
  'batch_size': 100,
  'minutes': 54.8,
  'environment': {'keras': '3.15.1', 'gpus': [], 'cores': 2},
  'scores': [_SCORE, _SCORE | {'num_images': 1000, 'num_samples': 512}],
}
_DESCRIBED = description.Description(
  '0.1.0',
  (28, 28, 1),
  (64,),
  2_715_420,
  config={'decoder': 'window', 'window': '5x3', 'dataset': 'omniglot'},
  parts={'decoder': 'exactly the window before it'},
  about=_ABOUT,
)


def _header(text):
  start, header, _ = text.split('---\n', 2)
  assert start == ''
  return yaml.safe_load(header)


def test_the_header_is_what_model_hubs_read():
  header = _header(card.text('it\'s "a": [name]', _DESCRIBED))
  assert header['license'] == 'apache-2.0'
  assert header['library_name'] == 'vlae_tf'
  assert header['datasets'] == ['omniglot']
  assert 'keras' in header['tags']
  (model,) = header['model-index']
  assert model['name'] == 'it\'s "a": [name]'
  full, part = model['results']
  assert full['dataset'] == dict(type='omniglot', name='omniglot', split='test')
  found = {m['type']: m['value'] for m in full['metrics']}
  assert found == dict(nll=92.2345, bits_per_dim=0.169777)
  assert '1000 images, 512 samples' in part['metrics'][0]['name']


def test_numbers_are_those_of_the_data():
  text = card.text('omniglot', _DESCRIBED)
  row = next(line for line in text.splitlines() if '8,070' in line)
  assert row == (
    '| 8,070 of test | 16 | 92.23 +- 0.33 | 93.07 +- 0.34 | 0.833 +- 0.011 | '
    '8.95 +- 0.01 = 12.91 bits | 0.1698 |'
  )
  for words in (
    '- images: 28x28x1',
    '- parameters: 2,715,420, in float32',
    '- decoder: `window`, exactly the window before it',
    '- window: `5x3`',
    '- training split: train+validation',
    '- steps: 14,607',
    '- training time in minutes: 54.8',
    'keras 3.15.1, gpus none, cores 2',
  ):
    assert words in text, words
  assert card.expected(_ABOUT) == (
    '92.23 +- 0.33 nats (8,070 test images, 16 samples each)'
  )


def test_what_a_model_started_from_is_said():
  first = dict(name='first', sha256='b80e', about=dict(steps=3000))
  second = dict(steps=1200, minutes=30.25, started_from=first)
  start = dict(name='second', sha256='ac15', about=second)
  about = _ABOUT | {'started_from': start}
  text = card.text('mine', dataclasses.replace(_DESCRIBED, about=about))
  assert (
    '\n- started from: second (1,200 steps, 30.2 minutes, started from first '
    '(3,000 steps, weights of SHA-256 b80e), weights of SHA-256 ac15)\n'
  ) in text
  assert 'started from' not in card.text('mine', _DESCRIBED)


def test_what_the_data_lack_is_said_to_be_unknown():
  empty = dataclasses.replace(_DESCRIBED, about={}, config=None, parts={})
  text = card.text('mine', empty)
  header = _header(text)
  assert 'datasets' not in header and 'model-index' not in header
  assert 'Not measured: score it' in text
  assert 'Not given.' in text
  assert card.expected({}) == 'not measured'
  assert "from_pretrained('path/to/mine', build=build)" in text
  partial = {'num_images': 1, 'num_samples': 2, 'nll': 3.0, 'nll_stderr': None}
  text = card.text(
    'mine', dataclasses.replace(empty, about={'scores': [partial]})
  )
  assert '| 1 of test | 2 | 3.00 | not measured |' in text


def test_limits_are_those_of_the_data():
  text = card.text('omniglot', _DESCRIBED)
  assert 'Burda' in text and 'Trained on the validation images' in text
  about = _ABOUT | {'dataset': 'path/to/omniglot', 'train_on': 'train'}
  text = card.text('mine', dataclasses.replace(_DESCRIBED, about=about))
  assert 'Burda' not in text and 'Trained on the validation' not in text
  assert 'datasets' not in _header(text)


def test_no_number_is_typed_by_hand():
  """But for the year and number of the paper, and the sizes of data sets."""
  empty = description.Description('0', (0, 0, 0), (), 0)
  text = re.sub(
    r'2017|1611\.02731|seed=[01]|apache-2\.0', '', card.text('x', empty)
  )
  assert set(re.findall(r'(?<![a-z\d])\d+', text)) == {
    '0',
    '4',
  }  # Images that are drawn.
