"""Scores are kept beside each other, and the fullest is found."""

import json
import os

from vlae_tf.runs import scores


def _score(num_images, num_samples, **other):
  defaults = dict(split='test', seed=0, checkpoint='last', step=7)
  counts = dict(num_images=num_images, num_samples=num_samples)
  return {**defaults, **counts, **other}


def test_each_way_to_score_has_a_file_of_its_own(tmp_path):
  ways = [
    _score(300, 128),
    _score(100, 128),
    _score(300, 16),
    _score(300, 128, seed=3),
    _score(300, 128, checkpoint='best'),
    _score(300, 128, split='train'),
  ]
  paths = [scores.write(tmp_path, way) for way in ways]
  assert [os.path.basename(path) for path in paths] == [
    'test_300_images_128_codes.json',
    'test_100_images_128_codes.json',
    'test_300_images_16_codes.json',
    'test_300_images_128_codes_seed_3.json',
    'test_300_images_128_codes_best.json',
    'train_300_images_128_codes.json',
  ]
  assert [json.loads(open(path).read()) for path in paths] == ways


def test_a_quick_score_is_not_the_fullest(tmp_path):
  assert scores.fullest(tmp_path) is None
  full = _score(300, 16)
  for way in (full, _score(300, 4), _score(100, 4096)):
    scores.write(tmp_path, way)
  scores.write(tmp_path, _score(1000, 1000, split='train'))
  assert scores.fullest(tmp_path, 'test') == full
  newer = _score(300, 16, seed=1, step=8)
  scores.write(tmp_path, newer)
  assert scores.fullest(tmp_path, 'test') == newer


def test_a_file_of_version_0_1_0_is_a_score(tmp_path):
  (tmp_path / 'eval').mkdir()
  old = {'num_images': 500, 'num_samples': 4096, 'nll': 91.0}
  (tmp_path / 'eval' / 'test.json').write_text(json.dumps(old))
  scores.write(tmp_path, _score(300, 128))
  assert scores.fullest(tmp_path) == old


def test_what_is_no_score_is_said_and_passed_over(tmp_path, capsys):
  scores.write(tmp_path, _score(300, 128))
  for name, text in [('torn', '{'), ('list', '[]'), ('other', '{}')]:
    (tmp_path / 'eval' / f'test_{name}.json').write_text(text)
  assert scores.fullest(tmp_path) == _score(300, 128)
  said = capsys.readouterr().err
  assert said.count('warning:') == 3 and 'test_torn.json' in said
