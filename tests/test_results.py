"""README's results are what the files in `results/` say."""

import importlib.util
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _report():
  path = ROOT / 'benchmarks' / 'report.py'
  spec = importlib.util.spec_from_file_location('report', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_readme_says_what_was_measured():
  readme = (ROOT / 'README.md').read_text(encoding='utf-8')
  assert _report().render() in readme


def test_training_facts_are_those_of_the_log(tmp_path):
  log = tmp_path / 'metrics.jsonl'
  lines = [dict(step=10, time=100.0), dict(step=70, time=220.0)]
  log.write_text('\n'.join(map(json.dumps, lines)))
  facts = _report().training_facts(log)
  assert facts == dict(steps=70, minutes=2.0, steps_per_s=0.5)
