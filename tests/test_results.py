"""The results that are told are what the files in `results/` say."""

import importlib
import math
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf

import vlae_tf

ROOT = pathlib.Path(__file__).resolve().parent.parent


# Benchmarks import each other by these names, as when one is run.
sys.path.append(str(ROOT / 'benchmarks'))


def _benchmark(name):
  return importlib.import_module(name)


def _report():
  return _benchmark('report')


def test_the_yardstick_is_a_model_of_the_same_size():
  plain = _benchmark('plain_step').PlainVLAE()
  assert np.isfinite(float(plain(tf.zeros([2, 28, 28, 1]))))
  ours = vlae_tf.build_model(vlae_tf.Config(), (28, 28, 1))
  assert plain.count_params() == sum(
    math.prod(v.shape) for v in ours.trainable_variables
  )


@pytest.mark.parametrize(
  'page', ['README.md', 'docs/results.md', 'docs/recipes.md']
)
def test_pages_say_what_was_measured(page):
  text = (ROOT / page).read_text(encoding='utf-8')
  assert _report().pages()[page] in text, 'run: python benchmarks/report.py'


def test_all_pages_of_results_are_looked_at():
  pages = {'README.md', 'docs/results.md', 'docs/recipes.md'}
  assert {*_report().pages()} == pages


def test_a_curve_is_in_bits_of_the_numbers_of_an_image():
  curve = [(10, 100.0, -4.0), (20, 160.0, -2.0), (50, 400.0, -1.0)]
  lines = [
    {'step': n, 'time': t, 'split': s, 'elbo': 6 * math.log(2) * e, 'rate': 3.0}
    for s in ('train', 'validation')
    for n, t, e in curve
  ]
  lines = sorted(lines, key=lambda line: line['time'])
  facts = _benchmark('learning_curve').facts(lines, 4, 100, 6)
  assert (facts['steps'], facts['epochs']) == (50, 2.0)
  assert facts['minutes'] == pytest.approx(5.0)
  # A quarter of an epoch is about six steps.
  expected = [[0.4, 4.0, 3.0], [0.8, 2.0, 3.0], [2.0, 1.0, 3.0]]
  np.testing.assert_allclose(facts['train'], expected)
  np.testing.assert_allclose(facts['validation'], expected)


def test_a_line_of_the_log_of_recipes_is_what_validation_said():
  def line(step, split, elbo):
    time = {'step': step, 'time': 60.0 * step, 'split': split}
    return time | {'elbo': elbo, 'rate': 10.0 + step}

  lines = [
    *(line(n, 'train', -90.0 - n) for n in (1, 2, 3, 4, 5, 6)),
    *(line(n, 'validation', e) for n, e in ((2, -95.0), (4, -91.0), (6, -92))),
  ]
  lines = sorted(lines, key=lambda line: line['step'])
  config = vlae_tf.Config(
    dataset='caltech101', flow_units=160, train_on='train'
  )
  found = _benchmark('recipes').entry('a', config, lines, 'Words.')
  assert found['changes'] == {'flow_units': 160}
  assert found['best'] == {'step': 4, 'elbo': 91.0, 'rate': 14.0}
  assert found['last'] == {'step': 6, 'elbo': 92.0, 'rate': 16.0}
  assert found['training'] == pytest.approx(95.5)  # Of steps 5 and 6.
  assert (found['steps'], found['minutes']) == (6, pytest.approx(5.0))
  with pytest.raises(ValueError, match='a run that validates'):
    _benchmark('recipes').entry('a', config, lines[:1], 'Words.')


def test_a_curve_needs_a_log():
  with pytest.raises(ValueError, match='must have lines in metrics'):
    _benchmark('learning_curve').facts([], 4, 100, 6)
