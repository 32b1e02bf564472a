"""RESULTS.md is what the records and the paper's figures say."""

import dataclasses

import numpy as np
import pytest
import source_tree

from reproduction import made
from vlae_tf.models import config as config_lib
from vlae_tf.reproduction import experiments, records, tables

_PLAN = experiments.plan()


def _write(out, *those):
  for record in those:
    records.write(out, record, out)


def _line(text, section, name):
  """The cells of a row of a section, by the heads of its table."""
  lines = text.split(f'\n## {section}\n')[1].split('\n## ')[0].splitlines()
  heads = next(x for x in lines if x.startswith('| model'))
  (line,) = (x for x in lines if x.startswith(f'| {name} |'))
  cells = [[c.strip() for c in x.split('|')[1:-1]] for x in (heads, line)]
  return dict(zip(*cells, strict=True))


def test_the_results_are_those_of_the_records():
  written = (source_tree.ROOT / tables.NAME).read_text(encoding='utf-8')
  again = 'run: python -m vlae_tf.reproduce --render'
  assert written == tables.render(_PLAN, source_tree.ROOT), again


def test_a_row_says_what_was_measured(tmp_path):
  _write(tmp_path, made.record('static_mnist', made.score(79.53)))
  text = tables.render(_PLAN, tmp_path)
  assert _line(text, 'Static MNIST', r'**VLAE**') == {
    'model': '**VLAE**',
    'paper: NLL': '79.03',
    'ours: NLL': '79.53 +- 0.25',
    'difference': '+0.50',
    'paper: KL': '',
    'ours: KL, nats': '10.00',
    'KL, bits': '14.43',
    '-ELBO': '80.53 +- 0.50',
    'importance samples': '128',
    'epochs': '1',
    'minutes': '12',
    'parameters': '1,234,567',
    'data': 'train, 60,000; test, 100; binary images',
  }
  assert "- VLAE: the paper's 79.03 is not reached: 0.50 nats above" in text
  assert '- AF VAE: not run.' in text
  assert '0123456789ab-dirty' in text and 'a CPU, 2 cores' in text


def test_a_figure_that_is_reached_is_told_so(tmp_path):
  _write(tmp_path, made.record('static_mnist', made.score(79.03)))
  text = tables.render(_PLAN, tmp_path)
  assert "- VLAE: the paper's 79.03 is reached: 0.00 nats below" in text
  assert 'not reached' not in text
  assert (
    '1 of 16 rows' in text and 'of 1 that have a published NLL, 1 reach' in text
  )


@pytest.mark.parametrize(
  'epoch, elbo, told',
  [
    (2.0, -79.8, '0.73 below'),
    (1.1, -79.8, '0.73 below'),
    (2.0, -81.0, '0.47 above'),
  ],
)
def test_what_is_overfitted_is_told(epoch, elbo, told, tmp_path):
  curve = dict(validation_trained_on=[[0.5, -82.0, 9.0], [epoch, elbo, 9.0]])
  record = made.record(
    'static_mnist', made.score(79.53), curve=curve, epochs=2.0
  )
  _write(tmp_path, record)
  words = '; -ELBO of the validation images, which are trained on, is '
  text = tables.render(_PLAN, tmp_path)
  assert f'{words}{-elbo:.2f}, {told}' in text


@pytest.mark.parametrize(
  'split, epoch, finished',
  [
    ('validation', 2.0, True),
    ('validation_trained_on', 0.9, True),
    ('validation_trained_on', 2.0, False),
  ],
)
def test_what_may_not_be_overfitted_is_not_told_so(
  split, epoch, finished, tmp_path
):
  record = made.record(
    'omniglot',
    made.score(),
    curve={split: [[epoch, -79.8, 9.0]]},
    epochs=2.0,
    finished=finished,
  )
  _write(tmp_path, record)
  assert 'which are trained on' not in tables.render(_PLAN, tmp_path)


def test_rows_of_others_have_no_figures_of_ours(tmp_path):
  text = tables.render(_PLAN, tmp_path)
  for table in experiments.PUBLISHED.values():
    for row in table.rows:
      name = f'**{row.name}**' if row.own else row.name
      cells = [*_line(text, table.title, name).values()]
      bound = '< ' if row.bound else ''
      assert cells[1] == ('' if row.nll is None else f'{bound}{row.nll}')
      assert (cells[2] != '') == row.own and set(cells[5:]) == {''}
  assert text.count('not run') > 12
  assert 'VLAE, individually tuned: nothing is tuned to one set here.' in text


def test_an_unfinished_run_says_how_far_it_is(tmp_path):
  half = made.record(
    'dynamic_mnist_30', made.score(), finished=False, steps=300, epochs=0.5
  )
  _write(tmp_path, half)
  text = tables.render(_PLAN, tmp_path)
  line = _line(text, 'Ablation on dynamic MNIST', r'**AF prior**')
  assert line['epochs'] == '0.5 of 1'
  assert 'training is not finished: 300 of 600 steps' in text
  assert 'Unfinished: AF prior.' in text


def test_what_a_run_started_from_is_told(tmp_path):
  about = dict(steps=1200, batch_size=100, minutes=30.2, data_sha256='a')
  start = dict(name='first', sha256='0123456789abcdef', about=about)
  record = made.record('static_mnist', made.score(), started_from=start)
  _write(tmp_path, record)
  text = tables.render(_PLAN, tmp_path)
  line = _line(text, 'Static MNIST', r'**VLAE**')
  assert (line['epochs'], line['minutes']) == ('2 + 1', '30 + 12')
  assert tables.steps(record) == '1,200 + 600'
  told = 'by `--start_from` with first, 1,200 steps, weights 0123456789ab |'
  assert told in text


def test_a_part_of_the_images_is_told(tmp_path):
  part, full = made.score(78.0, 50), made.score(80.0, 100, codes=1)
  _write(tmp_path, made.record('omniglot', part, full))
  line = _line(tables.render(_PLAN, tmp_path), 'OMNIGLOT', r'**VLAE**')
  assert line['importance samples'] == '128 (first 50 of 100 images)'
  assert (line['ours: NLL'], line['-ELBO']) == (
    '78.00 +- 0.25',
    '81.00 +- 0.50',
  )


def test_more_codes_of_some_images_are_told(tmp_path):
  more = made.score(79.5, codes=4096)
  more |= dict(num_corrected=20, num_samples_of_all=32)
  full = made.score(80.0, 100, codes=32)
  _write(tmp_path, made.record('omniglot', full, corrected=more))
  text = tables.render(_PLAN, tmp_path)
  line = _line(text, 'OMNIGLOT', r'**VLAE**')
  told = '4,096 (20 of 100 images, 32 for the others)'
  assert line['importance samples'] == told
  assert line['ours: NLL'] == '79.50 +- 0.25'
  told = f'4,096 importance samples per image{told[5:]}'
  assert f'below it, {told}' in text


@pytest.mark.parametrize('mirrored', [False, True])
def test_mirrored_images_are_told(mirrored, tmp_path):
  config = dict(horizontal_flips=mirrored)
  _write(tmp_path, made.record('caltech101', made.score(), config=config))
  text = tables.render(_PLAN, tmp_path)
  line = _line(text, 'Caltech-101 silhouettes', '**VLAE**')
  assert ('mirrored at random; test' in line['data']) == mirrored


def test_without_a_code_one_is_exact(tmp_path):
  exact = made.score(88.0, codes=1, rate=0.0)
  config = dict(latent_size=0)
  name = 'caltech101_unconditional'
  _write(tmp_path, made.record(name, exact, config=config))
  text = tables.render(_PLAN, tmp_path)
  line = _line(text, 'Caltech-101 silhouettes', '**unconditional decoder**')
  assert (line['ours: NLL'], line['difference']) == ('88.00 +- 0.25', '-1.26')
  assert (line['importance samples'], line['KL, bits']) == (
    'none, exact',
    '0.00',
  )
  assert 'below it, exact, without a latent.' in text


@pytest.mark.parametrize('has_images', [True, False])
def test_compared_rows_are_compared_image_by_image(has_images, tmp_path):
  ours, theirs = np.array([81.0, 84.0]), np.array([80.0, 81.0])
  for name, nll in (
    ('dynamic_mnist_gaussian_prior', ours),
    ('dynamic_mnist_30', theirs),
  ):
    _write(tmp_path, made.record(name, made.score(nll.mean(), images=2)))
    if has_images:
      path = records.path(tmp_path, name).with_suffix('.npz')
      np.savez(path, log_prob=-nll)
  text = tables.render(_PLAN, tmp_path)
  # Mean of 1 and 3; their deviation, root of 2, over the root of 2.
  paired = '+2.00 +- 1.00, of the same 2 images' if has_images else '+2.00'
  assert f'| Gaussian prior | {paired} | +0.54 |' in text


def test_the_only_difference_that_is_published_is_told(tmp_path):
  names = ('dynamic_mnist_iaf_posterior', 'dynamic_mnist_30')
  _write(tmp_path, *[made.record(name, made.score()) for name in names])
  text = tables.render(_PLAN, tmp_path)
  assert '| IAF posterior, Gaussian prior | +0.00 | +0.6 |' in text


def test_a_broken_record_is_named_and_the_results_kept(tmp_path):
  tables.write(_PLAN, tmp_path)
  before = (tmp_path / tables.NAME).read_text()
  path = records.path(tmp_path, 'omniglot')
  path.parent.mkdir(parents=True)
  path.write_text('{}')
  with pytest.raises(ValueError, match=r'omniglot\.json is no record'):
    tables.write(_PLAN, tmp_path)
  assert (tmp_path / tables.NAME).read_text() == before


def test_figures_are_shown_where_they_are(tmp_path):
  assert 'Figure' not in tables.render(_PLAN, tmp_path)
  (tmp_path / 'results').mkdir()
  (tmp_path / 'results' / 'figure_2.png').touch()
  text = tables.render(_PLAN, tmp_path)
  assert '![](results/figure_2.png)' in text and 'figure_1' not in text


def test_what_is_told_of_a_run_gives_its_config_again():
  """Though a preset may have changed since."""
  for experiment in _PLAN.needed():
    record = records.read(source_tree.ROOT, experiment.name)
    if record:
      told = [f'--preset={record.preset}', *record.flags]
      told += tables.changed_flags(record)
      again = dataclasses.asdict(config_lib.from_args(told))
      free = {'validate_every_epochs'}
      assert {k: again[k] for k in record.config if k not in free} == {
        k: v for k, v in record.config.items() if k not in free
      }


def test_a_compared_row_of_another_config_is_told(tmp_path):
  config = experiments.plan().experiments['dynamic_mnist_30'].config
  now = made.record(
    'dynamic_mnist_30',
    made.score(),
    preset='dynamic_mnist',
    flags=[],
    config=dataclasses.asdict(config),
  )
  config = dataclasses.replace(config, prior='gaussian', learning_rate=0.5)
  old = made.record(
    'dynamic_mnist_gaussian_prior',
    made.score(),
    preset='dynamic_mnist_gaussian_prior',
    flags=[],
    config=dataclasses.asdict(config),
  )
  _write(tmp_path, now, old)
  text = tables.render(_PLAN, tmp_path)
  told = 'with flags that differ from the current presets: Gaussian prior,'
  assert f'{told} `--learning_rate=0.5`.' in text
  assert '`--preset=dynamic_mnist_gaussian_prior --learning_rate=0.5`' in text
  assert '`--preset=dynamic_mnist`' in text
