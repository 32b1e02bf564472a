"""README's results are what the files in `results/` say."""

import importlib.util
import json
import math
import pathlib

import numpy as np
import tensorflow as tf

import vlae_tf

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _benchmark(name):
  path = ROOT / 'benchmarks' / f'{name}.py'
  spec = importlib.util.spec_from_file_location(name, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def _report():
  return _benchmark('report')


def test_the_yardstick_is_a_model_of_the_same_size():
  plain = _benchmark('plain_step').PlainVLAE()
  assert np.isfinite(float(plain(tf.zeros([2, 28, 28, 1]))))
  ours = vlae_tf.build_model(vlae_tf.Config(), (28, 28, 1))
  assert plain.count_params() == sum(
    math.prod(v.shape) for v in ours.trainable_variables
  )


def test_readme_says_what_was_measured():
  readme = (ROOT / 'README.md').read_text(encoding='utf-8')
  assert _report().render() in readme


def test_training_facts_are_those_of_the_log(tmp_path):
  log = tmp_path / 'metrics.jsonl'
  lines = [dict(step=10, time=100.0), dict(step=70, time=220.0)]
  log.write_text('\n'.join(map(json.dumps, lines)))
  facts = _report().training_facts(log)
  assert facts == dict(steps=70, minutes=2.0, steps_per_s=0.5)
