"""The doctor names what is there, what is missing and what mends it."""

import re

import commands
import pytest

from vlae_tf import health


def test_a_healthy_machine_passes(tmp_path):
  (tmp_path / 'originals' / 'omniglot').mkdir(parents=True)
  result = commands.run('doctor', f'--data_dir={tmp_path}')
  assert result.status == 0, result
  lines = result.stdout.splitlines()
  assert all(line.startswith('ok  ') for line in lines)
  names = [line[5:].split(':')[0] for line in lines]
  assert names[:2] == ['versions', 'devices']
  assert names[-3:] == ['data', 'disk', 'self test']
  assert 'tensorflow 2.' in lines[0]
  assert 'originals/omniglot' in lines[-3]


def test_a_loss_that_does_not_fall_fails_the_self_test(monkeypatch):
  monkeypatch.setattr(health, '_train_a_little', lambda: [5.0, 6.0])
  finding = health.examine()[-1]
  assert finding.name == 'self test'
  assert not finding.is_good
  assert finding.line().startswith('FAIL self test: loss 5.0 -> 6.0')


@pytest.mark.parametrize(
  'has_card, there, words',
  [
    (False, (), 'none in this machine'),
    (True, (), 'libcuda.so.1 is missing.*apt-get install nvidia-driver'),
    (True, ('libcuda.so.1',), 'libcudnn.so.9.*missing.*pip install'),
  ],
)
def test_a_gpu_that_is_not_seen_is_explained(has_card, there, words):
  text = health.explain_missing_gpu(has_card, lambda name: name in there)
  assert re.search(words, text)
