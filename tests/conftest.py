"""Tiers of the tests, memory of the workers, and data that many tests need."""

import contextlib
import ctypes
import functools
import gc
import os
import pathlib
import resource
import shlex

import hypothesis
import pytest

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('TF_FORCE_GPU_ALLOW_GROWTH', 'true')

_REPOSITORY = pathlib.Path(__file__).parents[1]


def pytest_addoption(parser):
  parser.addoption(
    '--exhaustive',
    action='store_true',
    help='run the tests marked `exhaustive` as well',
  )


def pytest_configure(config):
  """Selects how many examples properties get: the same ones in every run."""
  exhaustive = config.getoption('exhaustive')
  hypothesis.settings.register_profile(
    'tier',
    max_examples=1000 if exhaustive else 30,
    derandomize=True,
    database=None,
    deadline=None,  # Others may use the processor.
    suppress_health_check=[
      hypothesis.HealthCheck.too_slow,
      # Examples overwrite the files of those before.
      hypothesis.HealthCheck.function_scoped_fixture,
    ],
  )
  hypothesis.settings.load_profile('tier')


def _reason(item):
  """The reason why a test is in the exhaustive tier, or `None`."""
  mark = item.get_closest_marker('exhaustive')
  if mark is None:
    return None
  if len(mark.args) != 1 or not isinstance(mark.args[0], str):
    raise pytest.UsageError(f'{item.nodeid}: `exhaustive` must give a reason')
  return mark.args[0]


def pytest_collection_modifyitems(config, items):
  slow = [item for item in items if _reason(item)]
  # A test that is named runs, whatever its tier.
  named = any('::' in arg for arg in config.args)
  if slow and not (named or config.getoption('exhaustive')):
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in set(slow)]


def pytest_collection_finish():
  # What is imported by now stays: `_free_memory` need not look through it.
  gc.freeze()


@pytest.fixture(scope='module', autouse=True)
def _free_memory():
  """Forgets the graphs and models of a file when its last test is done."""
  yield
  import keras

  keras.backend.clear_session()
  gc.collect()
  with contextlib.suppress(AttributeError):  # Of glibc alone.
    ctypes.CDLL(None).malloc_trim(0)


_peaks = {}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
  if hasattr(session.config, 'workeroutput'):
    session.config.workeroutput['peak'] = peak
  else:
    _peaks['this process'] = peak


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
  output = getattr(node, 'workeroutput', {})  # Not there if it crashed.
  if 'peak' in output:
    _peaks[node.gateway.id] = output['peak']


def pytest_terminal_summary(terminalreporter):
  """Prints the peak memory of each process and how to repeat failures."""
  write = terminalreporter.write_line
  for name, peak in sorted(_peaks.items()):
    write(f'peak memory of {name}: {peak:.1f} GiB')
  failed = [
    report.nodeid
    for kind in ('failed', 'error')
    for report in terminalreporter.getreports(kind)
  ]
  for nodeid in dict.fromkeys(failed):
    write(f'repeat: run_scripts/test.sh {shlex.quote(nodeid)}')


@pytest.fixture
def eagerly():
  """Runs `tf.function`s as Python: tracing a step takes ten times as long."""
  import toys

  with toys.functions_run_eagerly():
    yield


@pytest.fixture(scope='module')
def all_eagerly(pytestconfig):
  """The same for a whole file in the default tier, its fixtures included."""
  import toys

  # The exhaustive tier compiles what users compile.
  with toys.functions_run_eagerly(not pytestconfig.getoption('exhaustive')):
    yield


@pytest.fixture
def compiled():
  """An exception in such a file: large loops take long as Python."""
  import toys

  with toys.functions_run_eagerly(False):
    yield


@pytest.fixture(scope='session')
def trained_run(request, tmp_path_factory):
  """A function that gives the directory of a run of `trained`, by its name."""
  import trained

  if request.config.pluginmanager.hasplugin('cacheprovider'):
    cache = request.config.cache.mkdir('trained_runs')
  else:
    cache = tmp_path_factory.mktemp('cache')
  copies = tmp_path_factory.mktemp('trained')
  return functools.cache(lambda name: trained.run(name, cache, copies / name))


@pytest.fixture(scope='session')
def small_run(trained_run):
  """A run of two steps on forty small images, four of them for testing."""
  return trained_run('small')


@pytest.fixture(scope='session')
def real_data_dir():
  given = os.environ.get('VLAE_TF_DATA_DIR')
  folder = pathlib.Path(given or _REPOSITORY.parent / 'shared' / 'data')
  if not (folder / 'originals').is_dir():
    pytest.skip(f'no real data in {folder}: set VLAE_TF_DATA_DIR')
  return folder
