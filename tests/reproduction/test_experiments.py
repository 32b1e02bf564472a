"""Every row of the paper's own has an experiment that `train` would take."""

import dataclasses
import math
import pathlib
import shlex

import command_flags
import commands
import pytest

from vlae_tf.reproduction import experiments, runner

_PLAN, _SMOKE = experiments.plan(), experiments.plan(is_smoke=True)


def _check_flags(command, lists):
  """Has a command parse lists of arguments."""
  found = command_flags.problems([[command, *args] for args in lists])
  assert not any(found), found


@pytest.mark.parametrize('table', experiments.PUBLISHED)
def test_every_own_row_has_an_experiment_or_a_reason(table):
  for row in experiments.PUBLISHED[table].rows:
    if row.own:
      assert (row.experiment in _PLAN.experiments) != bool(row.why_not), row
    else:
      assert row.experiment is None, row


def test_tables_with_numbers_are_there():
  assert set(experiments.NUMBERS.values()) <= experiments.PUBLISHED.keys()


def test_no_experiment_is_without_a_row():
  assert {e.name for e in _PLAN.needed()} == _PLAN.experiments.keys()


@pytest.mark.parametrize('table', experiments.NUMBERS.values())
def test_the_papers_model_is_the_best_of_its_table(table):
  published = experiments.PUBLISHED[table]
  best = published.row('VLAE').nll
  assert best < min(row.nll for row in published.rows if 'VLAE' not in row.name)


def test_published_nats_are_published_bits():
  row = experiments.PUBLISHED['code_bits'].row('VLAE')
  assert float(row.kl) / math.log(2) == pytest.approx(
    float(row.kl_bits), abs=0.05
  )


def test_digits_are_those_that_were_published():
  numbers = [
    r.nll for t in experiments.PUBLISHED.values() for r in t.rows if r.nll
  ]
  digits = {-number.as_tuple().exponent for number in numbers}
  assert digits == {1, 2} and len(numbers) == 33


@pytest.mark.parametrize('plan', [_PLAN, _SMOKE], ids=['paper', 'smoke'])
def test_compared_rows_differ_in_the_model_alone(plan):
  compared = [t for t in plan.tables if t.reference]
  assert compared
  for table in compared:
    assert table.reference in [r.name for r in table.rows]
    configs = [plan.experiments[r.experiment].config for r in table.rows]
    for name in ('dataset', 'train_on', 'max_epochs', 'batch_size', 'seed'):
      assert len({getattr(c, name) for c in configs}) == 1, (table.name, name)


def test_the_smoke_has_each_kind_of_model_once():
  def kind(experiment):
    c = experiment.config
    # Without a code, what would make one is not there.
    code = (c.posterior, c.prior) if c.latent_size else None
    return code, c.decoder

  tried = [kind(e) for e in _SMOKE.needed()]
  assert len(set(tried)) == len(tried)
  assert set(tried) == {kind(e) for e in _PLAN.needed()}


def test_the_list_is_of_commands_that_can_be_run():
  args = ('--num_samples=4096', '--max_images=100', '--minutes_per_model=1.5')
  result = commands.run('reproduce', '--list', *args, '--runs=a b')
  assert result.status == 0, result.stderr
  lines = result.stdout.splitlines()
  assert len(lines) == len(_PLAN.experiments)
  found = {'vlae_tf.train': [], 'vlae_tf.evaluate': []}
  for line, experiment in zip(lines, _PLAN.needed()):
    for part in line.split(' && '):
      python, m, module, *flags = shlex.split(part)
      assert (python, m) == ('python', '-m')
      own = f'--workdir=a b/{experiment.name}'
      start = experiment.after and f'--workdir=a b/{experiment.after.name}'
      assert (own in flags) != (module == 'vlae_tf.train' and start in flags)
      found[module].append(flags)
  starts = [e.after for e in _PLAN.needed() if e.after]
  assert len(found['vlae_tf.train']) == len(lines) + len(starts)
  for flags in found['vlae_tf.train']:
    assert '--max_minutes=1.5' in flags
  for module, lists in found.items():
    _check_flags(module.removeprefix('vlae_tf.'), lists)


def test_what_an_experiment_starts_from_is_trained_before_it():
  settings = runner.Settings(pathlib.Path('runs'), pathlib.Path('out'))
  for experiment in [e for e in _PLAN.needed() if e.after]:
    (line,) = runner.shell_lines([experiment], settings)
    first, second, score = line.split(' && ')
    assert f'--workdir=runs/{experiment.after.name}' in first.split()
    assert '--start_from' not in first
    assert f'--start_from=runs/{experiment.after.name}' in second.split()
    assert f'--workdir=runs/{experiment.name}' in second.split()
    assert 'vlae_tf.evaluate' in score


def test_what_others_start_from_is_the_same_model():
  free = (
    'seed',
    'max_epochs',
    'batch_size',
    'objective',
    'polyak_decay',
    'precision',
  )
  for experiment in [*_PLAN.needed(), *_SMOKE.needed()]:
    if experiment.after:
      first, second = (
        {
          k: v
          for k, v in dataclasses.asdict(e.config).items()
          if k not in free and not k.startswith('learning_rate')
        }
        for e in (experiment.after, experiment)
      )
      assert first == second, experiment.name


def test_flags_of_all_experiments_parse():
  needed = [*_PLAN.needed(), *_SMOKE.needed()]
  needed += [e.after for e in needed if e.after]
  lists = [[f'--preset={e.preset}', *e.flags] for e in needed]
  _check_flags('train', lists)


@pytest.mark.parametrize(
  'tables, figures, names',
  [
    (['1'], None, ['static_mnist', 'static_mnist_af_vae']),
    (['caltech101'], None, ['caltech101', 'caltech101_unconditional']),
    (None, ['2'], ['omniglot']),
    (['4'], ['1'], ['caltech101', 'caltech101_unconditional', 'static_mnist']),
    (['all'], None, list(_PLAN.experiments)),
  ],
)
def test_what_is_chosen_needs_its_experiments_alone(tables, figures, names):
  chosen = _PLAN.chosen(tables, figures)
  assert {e.name for e in chosen.needed()} == set(names)
