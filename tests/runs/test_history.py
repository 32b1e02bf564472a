"""The log of a run says how long it trained, and how it learned."""

import json

import numpy as np
import pytest

from vlae_tf.runs import history


def _write(workdir, lines):
  text = ''.join(f'{json.dumps(line)}\n' for line in lines)
  (workdir / 'metrics.jsonl').write_text(text)


def _looks(*times):
  return [{'step': n, 'time': time} for n, time in enumerate(times)]


def test_pauses_do_not_count():
  # Looks a minute apart, stopped for a night and once for 20 minutes.
  night = [60.0 * n for n in range(40)]
  morning = [50_000.0 + t for t in night]
  noon = [53_600.0 + t for t in night]
  lines = _looks(*night, *morning, *noon)
  assert history.minutes(lines) == pytest.approx(3 * 39)


@pytest.mark.parametrize('gap', [290.0, 1999.0])
def test_a_slow_look_counts(gap):
  """Less than five minutes, or than ten times what is usual."""
  usual = [1.0, 200.0][gap > 300]
  times = np.cumsum([usual] * 9 + [gap]).tolist()
  assert history.minutes(_looks(*times)) == pytest.approx(
    (8 * usual + gap) / 60
  )


def test_curves_are_told_apart(tmp_path):
  look = {'step': 3, 'time': 1.0, 'split': 'train', 'elbo': -9.0, 'rate': 2.0}
  null = look | {'step': 4, 'elbo': None}
  held_out = look | {'split': 'validation', 'elbo': -10.0}
  _write(tmp_path, [look, null, held_out])
  lines = history.read(tmp_path)
  assert history.curve(lines, 'train') == [(3, -9.0, 2.0)]
  assert history.curve(lines, 'validation') == [(3, -10.0, 2.0)]


@pytest.mark.parametrize('text', ['', 'torn', '{"step": 1}', '[1]', '{"st'])
def test_lines_that_are_none_are_passed_over(tmp_path, text):
  assert history.read(tmp_path) == []
  _write(tmp_path, _looks(1.0, 61.0))
  with open(tmp_path / 'metrics.jsonl', 'a') as file:
    file.write(text)
  assert history.minutes(history.read(tmp_path)) == 1.0
