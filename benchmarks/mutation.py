"""Mutation testing: how many small changes of the code fail a test.

`pip install cosmic-ray; python benchmarks/mutation.py --out=FILE.json`

One mutant is drawn at each place that Cosmic Ray can change, and `--sample` of
those of a module are tried, each on a copy of the repository, in a process
forked after TensorFlow was imported. The tests are those of `TESTS` for the
module that ran the changed statement, or all if none did, until one fails. A
mutant that exceeds its time or ends the process is killed, too. `--survivors`
gives those of the file a second trial, with all tests and those of `FURTHER`.

With an existing file, modules that are not named are kept, and so are the
explanations of survivors, which are written into it by hand.
"""

import ast
import collections
import contextlib
import difflib
import json
import math
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import time

from absl import app, flags

FLAGS = flags.FLAGS

flags.DEFINE_string('out', None, 'JSON file to write.', required=True)
flags.DEFINE_integer('sample', 40, 'Mutants of a module.', lower_bound=1)
flags.DEFINE_integer('jobs', 1, 'Mutants tried at a time.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Of the draws.')
flags.DEFINE_bool('survivors', False, 'Try those of the file again.')

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_MAX_BYTES = 8 * 2**30
# Tests of each module in `vlae_tf`, in `tests`, the fastest ones first.
TESTS = {
  'distributions/autoregressive_image': [
    'distributions/test_autoregressive_image.py'
  ],
  'distributions/autoregressive_shift': [
    'distributions/test_autoregressive_shift.py'
  ],
  'distributions/logistic_mixture': ['distributions/test_logistic_mixture.py'],
  'distributions/pixel_distributions': [
    'distributions/test_pixel_distributions.py'
  ],
  'distributions/reparameterized': ['distributions/test_reparameterized.py'],
  'compression/rans': ['compression/test_rans.py'],
  'compression/symbols': [
    'compression/test_symbols.py',
    'compression/test_logistic_mixture_symbols.py',
  ],
  'compression/lattice': [
    'compression/test_lattice.py',
    'compression/test_lossy.py',
  ],
  'compression/codecs': [
    'compression/test_lattice.py',
    'compression/test_symbols.py',
    'conformance/test_codecs.py',
    'compression/test_lossless.py',
  ],
  'compression/chunks': [
    'compression/test_lossless.py',
    'compression/test_files.py',
    'compression/test_lossy.py',
  ],
  'compression/lossy': ['compression/test_lossy.py'],
  'models/objectives': [
    'models/test_objectives.py',
    'conformance/test_objectives.py',
  ],
  'training/step': ['training/test_step.py'],
  'training/gradients': ['training/test_step.py'],
}


# Slower ones, for survivors.
FURTHER = {
  'distributions/autoregressive_image': ['conformance/test_causality.py'],
  'distributions/logistic_mixture': [
    'compression/test_logistic_mixture_symbols.py'
  ],
  'compression/rans': ['compression/test_lossless.py'],
  'models/objectives': [
    'models/test_saving.py',
    'training/test_strategies.py',
  ],
  'training/step': ['training/test_trainer.py', 'training/test_strategies.py'],
  'training/gradients': ['training/test_strategies.py'],
}


# ---- Mutants


def mutants(source):
  """One mutant of each place and kind of change: dictionaries."""
  from cosmic_ray import ast as trees
  from cosmic_ray import mutating, plugins

  rng = random.Random(FLAGS.seed)
  tree = trees.get_ast(source)
  left_out, places = _annotations(source), collections.defaultdict(list)
  for name in plugins.operator_names():
    operator_class = plugins.get_operator(name)
    # `is` is `==` for small integers.
    if operator_class.arguments() or name.endswith(('Eq_Is', 'Eq_IsNot')):
      continue
    operator, number = operator_class(), 0
    for node in trees.ast_nodes(tree):
      for start, end in operator.mutation_positions(node):
        kind = name.split('/')[-1].split('_')[0]
        if not any(a <= start < b for a, b in left_out):
          places[start, end, kind].append((name, number))
        number += 1
  for (start, _, _), choices in sorted(places.items()):
    name, number = rng.choice(choices)
    operator = plugins.get_operator(name)()
    changed = mutating.mutate_code(source, operator, number)
    with contextlib.suppress(SyntaxError):
      compile(changed, 'mutant', 'exec')
      yield dict(
        line=start[0],
        operator=name.split('/')[-1],
        change=_change(source, changed),
        source=changed,
      )


def _annotations(source):
  """Ranges of annotations, which change nothing or fail at once."""
  found = []
  for node in ast.walk(ast.parse(source)):
    for name in ('annotation', 'returns'):
      if (x := getattr(node, name, None)) is not None:
        start, end = (x.lineno, x.col_offset), (x.end_lineno, x.end_col_offset)
        found.append((start, end))
  return found


def _change(source, changed):
  """The lines that are not the same, before and after."""
  lines = difflib.ndiff(source.splitlines(), changed.splitlines())
  parts = {'-': [], '+': []}
  for line in lines:
    if line[0] in parts:
      parts[line[0]].append(line[1:].strip())
  return ' -> '.join(' '.join(part) or 'nothing' for part in parts.values())


def _statement(source, line):
  """First and last line of the innermost statement at a line."""
  found = (line, line)
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno:
      # Of a compound statement its head.
      body = getattr(node, 'body', None)
      last = body[0].lineno - 1 if body else node.end_lineno
      if line <= max(last, node.lineno):
        found = (node.lineno, max(last, node.lineno))
  return found


# ---- Tests


class Recorder:
  """A plugin that records durations of tests and the lines that each runs."""

  def __init__(self, path):
    self._path = str(path)
    self.tests = {}
    self._lines = set()

  def _trace(self, frame, event, arg):
    if frame.f_code.co_filename != self._path:
      return None
    if event == 'line':
      self._lines.add(frame.f_lineno)
    return self._trace

  def pytest_runtest_protocol(self, item):
    self._lines = set()
    self.tests[item.nodeid] = dict(lines=self._lines, seconds=0.0)

  def pytest_runtest_logreport(self, report):
    self.tests[report.nodeid]['seconds'] += report.duration


class UntilOneFails:
  """A plugin that runs tests in an order, and ends with one that fails.

  `key` is of the id of a test, and says nothing for those that are left out.
  """

  def __init__(self, key, end):
    self._key, self._end = key, end

  def pytest_sessionstart(self):
    import hypothesis

    # Nobody reads the example: it need not be the simplest.
    phases = hypothesis.Phase.explicit, hypothesis.Phase.generate
    hypothesis.settings.register_profile('until', phases=phases)
    hypothesis.settings.load_profile('until')

  def pytest_collection_modifyitems(self, items):
    keys = {item: self._key(item.nodeid) for item in items}
    items[:] = sorted((i for i in items if keys[i]), key=keys.__getitem__)

  def pytest_runtest_makereport(self, item, call):
    import pytest

    if call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
      self._end(item.nodeid)


def _pytest(folder, tests, plugin):
  """Runs tests in a copy of the repository."""
  import pytest

  os.chdir(folder)
  sys.path[:0] = [str(folder)]
  args = ['-q', '-x', '--tb=no', '-p', 'no:cacheprovider', '-n', '0']
  return pytest.main([*args, *(f'tests/{t}' for t in tests)], [plugin])


def forked(folder, seconds, run):
  """Starts a process that writes what `run` returns; its id."""
  if pid := os.fork():
    return pid
  try:
    log = os.open(folder / 'log', os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    signal.alarm(math.ceil(20 * seconds))  # Of wall time.
    resource.setrlimit(resource.RLIMIT_CPU, 2 * [math.ceil(seconds)])
    resource.setrlimit(resource.RLIMIT_DATA, 2 * [_MAX_BYTES])
    (folder / 'said.json').write_text(json.dumps(run()))
  finally:
    os._exit(0)


def recorded(folder, module, tests):
  """Seconds and lines of all tests, which have to pass."""
  path = folder / f'vlae_tf/{module}.py'

  def run():
    recorder = Recorder(path)
    sys.settrace(recorder._trace)
    code = _pytest(folder, tests, recorder)
    sys.settrace(None)
    found = {
      n: (t['seconds'], sorted(t['lines'])) for n, t in recorder.tests.items()
    }
    return int(code), resource.getrusage(resource.RUSAGE_SELF).ru_utime, found

  os.waitpid(forked(folder, 3600, run), 0)
  code, seconds, found = json.loads((folder / 'said.json').read_text())
  if code:
    raise RuntimeError(f'{module}: {(folder / "log").read_text()}')
  return seconds, found


def trial(folder, module, mutant, order, seconds):
  """Starts the trial of a mutant; the id of its process."""
  path = folder / f'vlae_tf/{module}.py'
  path.write_text(mutant['source'])
  # Two mutants of a second and of a size pass for the same.
  for cache in path.parent.glob(f'__pycache__/{path.stem}.*'):
    cache.unlink()
  (folder / 'said.json').unlink(missing_ok=True)

  def run():
    def end(test):
      (folder / 'said.json').write_text(json.dumps((1, test)))
      os._exit(0)

    further = FURTHER.get(module, []) if FLAGS.survivors else []
    tests = TESTS[module] + further
    code = _pytest(folder, tests, UntilOneFails(order, end))
    return int(code), ''

  return forked(folder, seconds, run)


def judged(folder, status):
  """How a mutant ended, and the test that killed it."""
  if os.WIFSIGNALED(status):
    late = os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGXCPU)
    return ('timeout' if late else 'crash'), ''
  try:
    code, test = json.loads((folder / 'said.json').read_text())
  except (OSError, ValueError):
    return 'crash', ''
  return ('killed', test) if code else ('survived', '')


def tried(folders, module, chosen):
  """Tries mutants of a module; adds how each ended."""
  source = (_ROOT / f'vlae_tf/{module}.py').read_text()
  seconds, tests = recorded(folders[0], module, TESTS[module])
  files = {f'tests/{name}': k for k, name in enumerate(TESTS[module])}
  kills = collections.Counter()

  def order_for(mutant):
    first, last = _statement(source, mutant['line'])
    touched = set(range(first, last + 1))
    near = {
      n for n, (_, lines) in tests.items() if not touched.isdisjoint(lines)
    }

    def order(test):
      if near and test not in near and not FLAGS.survivors:
        return None
      file = files.get(test.split('::')[0], len(files))
      duration, _ = tests.get(test, (0.0, ()))
      return test not in near, -kills[test], file, duration

    return order

  free, running = list(folders), {}
  for mutant in [*chosen, *len(folders) * [None]]:
    if not free or (mutant is None and running):
      pid, status = os.wait()
      folder, old = running.pop(pid)
      old['outcome'], old['test'] = judged(folder, status)
      kills[old['test']] += bool(old['test'])
      print('.' if old['outcome'] != 'survived' else 's', end='', flush=True)
      free.append(folder)
    if mutant is not None:
      folder = free.pop()
      limit = 20 + 4 * seconds + 300 * FLAGS.survivors
      pid = trial(folder, module, mutant, order_for(mutant), limit)
      running[pid] = folder, mutant
  for folder in folders:
    (folder / f'vlae_tf/{module}.py').write_text(source)


# ---- Results


def wilson(hits, num, z=1.96):
  """95 % interval of a proportion."""
  centre = (hits + z * z / 2) / (num + z * z)
  half = z / (num + z * z) * math.sqrt(hits * (num - hits) / num + z * z / 4)
  return [round(max(0.0, centre - half), 3), round(min(1.0, centre + half), 3)]


def summary(chosen, places, whys):
  """What a file says of a module."""
  ended = collections.Counter(m['outcome'] for m in chosen)
  num, survived = len(chosen), ended.pop('survived', 0)
  told = ('line', 'operator', 'change')
  return dict(
    places=places,
    mutants=num,
    killed=num - survived,
    survived=survived,
    score=round((num - survived) / num, 3),
    interval=wilson(num - survived, num),
    ended=dict(sorted(ended.items())),
    survivors=[
      {k: m[k] for k in told} | dict(why=whys.get(m['change'], ''))
      for m in chosen
      if m['outcome'] == 'survived'
    ],
  )


def _write(path, modules):
  """Writes the file, with the totals."""
  num = sum(m['mutants'] for m in modules.values())
  killed = sum(m['killed'] for m in modules.values())
  total = dict(mutants=num, killed=killed, score=round(killed / num, 3))
  total['interval'] = wilson(killed, num)
  settings = dict(sample=FLAGS.sample, seed=FLAGS.seed)
  result = dict(settings=settings, total=total, modules=modules)
  path.write_text(json.dumps(result, indent=2) + '\n')


def _import_others():
  """Imports all that is slow, before processes are forked; runs nothing."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  # Threads do not survive a fork: nothing may have been computed.
  import hypothesis.extra.numpy  # noqa: F401
  import keras.src
  import pytest  # noqa: F401
  import scipy.stats  # noqa: F401
  import tensorflow as tf  # noqa: F401
  import tensorflow_probability as tfp

  return keras.src, tfp.distributions.Normal, tfp.bijectors.Chain


def main(argv):
  modules = argv[1:] or list(TESTS)
  path = pathlib.Path(FLAGS.out).absolute()
  found = json.loads(path.read_text())['modules'] if path.exists() else {}
  _import_others()
  with tempfile.TemporaryDirectory(prefix='mutation-') as scratch:
    folders = [pathlib.Path(scratch, str(k)) for k in range(FLAGS.jobs)]
    ignore = shutil.ignore_patterns('.git', '.hypothesis', '__pycache__')
    for folder in folders:
      shutil.copytree(_ROOT, folder, ignore=ignore)
    for module in modules:
      start = time.monotonic()
      source = (_ROOT / f'vlae_tf/{module}.py').read_text()
      drawn = list(mutants(source))
      random.Random(f'{FLAGS.seed} {module}').shuffle(drawn)
      chosen, places = drawn[: FLAGS.sample], len(drawn)
      before = found.get(module, {}).get('survivors', ())
      whys = {m['change']: m['why'] for m in before}
      retried = chosen
      if FLAGS.survivors:
        retried = [m for m in chosen if m['change'] in whys]
        for mutant in chosen:
          mutant['outcome'] = 'killed'
      tried(folders, module, retried)
      found[module] = summary(chosen, places, whys)
      found[module]['tests'] = TESTS[module]
      _write(path, {m: found[m] for m in TESTS if m in found})
      said = found[module]
      print(
        f' {module}: {said["killed"]} of {said["mutants"]}, '
        f'{time.monotonic() - start:.0f} s',
        flush=True,
      )
      for survivor in said['survivors']:
        print(f'  {survivor["line"]}: {survivor["change"]}', flush=True)


if __name__ == '__main__':
  app.run(main)
