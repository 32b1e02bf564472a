"""The doctor names what is there, what is missing and what mends it."""

import re
import shutil

import commands
import pytest

from vlae_tf.formats import folder
from vlae_tf.reporting import health
from vlae_tf.runs import pretrained


def test_a_healthy_machine_passes(tmp_path):
  result = commands.run('doctor', f'--data_dir={tmp_path}')
  assert result.status == 0, result
  lines = result.stdout.splitlines()
  assert all(line.startswith('ok  ') for line in lines)
  names = [line[5:].split(':')[0] for line in lines]
  assert names[:2] == ['versions', 'devices']
  assert names[-2:] == ['disk', 'self test']
  assert 'tensorflow 2.' in lines[0]


def test_every_data_set_is_listed_by_the_name_that_one_types(
  tmp_path, monkeypatch
):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  root = tmp_path / 'root'
  (root / 'tfds' / 'mnist' / '3.0.1').mkdir(parents=True)
  (root / 'tfds' / 'mnist' / '3.0.1' / 'dataset_info.json').write_text('{}')
  (root / 'tfds' / 'binarized_mnist').mkdir()  # Begun, not finished.
  (root / 'originals').mkdir()
  (root / 'originals' / 'chardata.mat').touch()
  found = {f.name: f.text for f in health.data_sets(root)}
  missing = f'not there: the first use downloads it to {root}'
  assert found == {
    'data': f'in {root}',
    '--dataset=digits': 'embedded',
    '--dataset=static_mnist': missing,
    '--dataset=dynamic_mnist': f'prepared in {root}/tfds/mnist',
    '--dataset=omniglot': f'original file {root}/originals/chardata.mat, to '
    'be prepared',
    '--dataset=caltech101': missing,
    '--dataset=cifar10': missing,
  }


def test_a_root_that_is_a_file_fails(tmp_path):
  (tmp_path / 'file').touch()
  (finding,) = health.data_sets(tmp_path / 'file')
  assert not finding.is_good and 'must be a directory' in finding.text


def test_every_model_that_comes_along_is_listed_with_its_score():
  found = {f.name: f for f in health.models()}
  assert list(found) == [f'pretrained {n!r}' for n in pretrained.names()]
  for name in pretrained.names():
    finding = found[f'pretrained {name!r}']
    score = folder.read(pretrained.SHIPPED / name).about['scores'][0]
    images, codes = score['num_images'], score['num_samples']
    assert finding.is_good
    assert re.search(
      rf'[\d,]+ weights, trained on \w+; NLL {score["nll"]:.2f} \+- '
      rf'{score["nll_stderr"]:.2f} nats \({images:,} test images, '
      rf'{codes} samples each\)$',
      finding.text,
    )


@pytest.mark.parametrize('file', ['model.safetensors', 'config.json'])
def test_a_damaged_model_fails(tmp_path, monkeypatch, file):
  shutil.copytree(pretrained.SHIPPED / 'digits', tmp_path / 'digits')
  monkeypatch.setattr(pretrained, 'SHIPPED', tmp_path)
  assert all(f.is_good for f in health.models())
  (tmp_path / 'digits' / file).write_bytes(b'{')
  (finding,) = health.models()
  assert not finding.is_good and finding.name == "pretrained 'digits'"
  assert file in finding.text


def test_a_loss_that_does_not_fall_fails_the_self_test(monkeypatch):
  monkeypatch.setattr(health, '_train_a_little', lambda: [5.0, 6.0])
  *_, finding = health.examine()
  assert finding.name == 'self test'
  assert not finding.is_good
  assert finding.text.startswith('loss 5.0 -> 6.0')


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
