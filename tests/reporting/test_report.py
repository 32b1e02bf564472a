"""A report says what the runs are, whatever they are."""

import json
import math
import re
import shlex
import shutil

import commands
import pytest

from vlae_tf.models import config as config_lib
from vlae_tf.reporting import page, run_results, sections
from vlae_tf.runs import records

pytestmark = pytest.mark.usefixtures('all_eagerly')

_NAMES = (
  'summary curves samples decompressions completions window code nats ends '
  'origin'
).split()


@pytest.fixture(scope='module')
def made(read):
  """Pages by the names of their runs."""
  return {
    names: sections.report([read[n] for n in names])
    for names in (('with',), ('without',), ('with', 'without'))
  }


def _section(made, name):
  return next(s for s in made.sections if s.name == name)


def _all(parts, kind):
  """All blocks of a kind, however deep."""
  for part in parts:
    if isinstance(part, kind):
      yield part
    if isinstance(part, page.Columns):
      yield from (x for p in part.parts for x in _all(p, kind))
    if isinstance(part, page.Chooser):
      yield from (x for p in part.panels for x in _all(p, kind))


def _texts(section):
  found = _all(section.blocks, page.Text)
  return ' '.join(p for text in found for p in text.paragraphs)


def test_each_section_is_there_if_there_is_something_to_say(made):
  found = [s.name for s in made[('with',)].sections]
  assert found == _NAMES
  without = [s.name for s in made[('without',)].sections]
  assert without == [n for n in _NAMES if n not in ('decompressions', 'code')]
  assert [s.name for s in made[('with', 'without')].sections] == _NAMES


def test_every_page_is_small_and_can_be_written(made, tmp_path):
  for names, one in made.items():
    path = tmp_path / f'{"_".join(names)}.html'
    page.write(one, path)
    assert path.stat().st_size < 1_000_000


def test_the_summary_is_of_the_fullest_score(made, runs):
  (file,) = (runs['with'] / 'eval').glob('test_*.json')
  score = json.loads(file.read_text())
  bits = score['rate'] / math.log(2)
  (table,) = _all(_section(made[('with',)], 'summary').blocks, page.Table)
  cells = dict(table.rows)
  nll = f'{score["nll"]:.2f} +- {score["nll_stderr"]:.2f}'
  assert cells['NLL, nats'] == nll
  assert cells['importance samples'] == str(score['num_samples'])
  assert cells['rate, bits'] == f'{bits:.1f}'


def test_without_a_code_the_likelihood_is_exact(made):
  section = _section(made[('without',)], 'summary')
  assert 'without a latent' in _texts(section)
  (table,) = _all(section.blocks, page.Table)
  cells = dict(table.rows)
  assert cells['importance samples'] == 'exact'
  assert 'not measured' not in cells.values()


@pytest.mark.exhaustive('draws of colour images')
def test_colour_images_have_every_section(trained_run, tmp_path):
  made = sections.report(
    run_results.read([str(trained_run('colour'))], num_scored=12)
  )
  assert [s.name for s in made.sections] == _NAMES
  page.write(made, tmp_path / 'colour.html')
  assert (tmp_path / 'colour.html').stat().st_size < 1_000_000


def test_a_bound_is_not_called_the_likelihood(read):
  run = read['with']
  bound = run._replace(facts={'scores': [run.nll | {'num_samples': 1}]})
  made = sections.report([bound])
  section = _section(made, 'summary')
  (table,) = _all(section.blocks, page.Table)
  assert dict(table.rows)['NLL, nats'] == 'not measured'


def test_a_latent_without_a_rate_is_said_to_have_collapsed(read):
  run = read['with']
  collapsed = run._replace(
    facts={'scores': [run.nll | {'rate': 0.01, 'distortion': 40.0}]}
  )
  assert 'has collapsed' in ' '.join(sections.summary(collapsed))


def test_several_runs_stand_side_by_side(made):
  both = made[('with', 'without')]
  for name in ('summary', 'samples', 'completions', 'window'):
    columns = next(_all(_section(both, name).blocks, page.Columns), None)
    chooser = next(_all(_section(both, name).blocks, page.Chooser), None)
    if columns is None:
      columns = chooser.panels[0][0]
    assert columns.heads == ('with', 'without'), name
  (kept,) = _all(_section(both, 'decompressions').blocks, page.Chooser)
  # Of the one that has a code.
  assert kept.slides and len(kept.options) == len(kept.panels) == 6
  charts = list(_all(_section(both, 'curves').blocks, page.Chart))
  assert [c.caption.split()[0] for c in charts] == [
    '-ELBO',
    'distortion',
    'rate',
  ]
  assert all(
    'without, training' in {row[0] for row in chart.table.rows}
    for chart in charts
  )


def test_each_draw_is_another(made):
  (kept,) = _all(
    _section(made[('with',)], 'decompressions').blocks, page.Chooser
  )
  sources = [next(_all(p, page.Picture)).source for p in kept.panels]
  assert len(set(sources)) == len(sources)


def test_the_commands_make_the_run(read, runs):
  train, evaluate = run_results.commands(read['with'])
  args = shlex.split(train)
  assert args[:3] == ['python', '-m', 'vlae_tf.train']
  there = records.read_config(runs['with'])
  assert config_lib.from_args(args[3:]) == there
  assert f'--workdir={runs["with"]}' in args
  assert re.search('--split=test --num_samples=4$', evaluate)
  spaced = read['with']._replace(workdir="it's here")
  for line in run_results.commands(spaced):
    assert "--workdir=it's here" in shlex.split(line)


@pytest.mark.parametrize('name', ['omniglot', 'static_mnist_factorised'])
def test_a_preset_differs_from_itself_in_nothing(name):
  assert run_results.origin(config_lib.from_preset(name)) == (name, {})


def test_files_of_other_weights_or_that_are_broken_are_passed_over(
  runs, read, tmp_path, monkeypatch
):
  run = tmp_path / 'run'
  shutil.copytree(runs['with'], run)
  row = dict(classifier='linear', features='code', accuracies={'5': [0.5, 0.7]})
  probe = dict(rows=[row], num_labels=[5], num_test=9, repeats=2)
  for name, step in (('now', 4), ('before', 2)):
    text = json.dumps(probe | {'step': step, 'num_test': step})
    (run / f'eval/probe_{name}.json').write_text(text)
  codec = dict(
    gross_bits=800,
    gross_bits_per_dim=0.5,
    negative_elbo_bits=790.0,
    images=4,
    image_shape=[8, 7, 1],
    mode='lossless',
    baselines=dict(png=dict(one_by_one_bytes=200, together_bytes=150)),
  )
  codec['in'] = 'mine:test'
  (run / 'eval/codec.json').write_text(json.dumps(codec))
  (run / 'eval/codec_2.json').write_text('{')
  (run / 'eval/probe_other.json').write_text('{"rows": []}')
  (run / 'metrics.jsonl').unlink()
  outputs = read['with'].outputs
  monkeypatch.setattr(run_results, 'compute', lambda *_: outputs)
  made = sections.report(run_results.read([str(run)]))
  (table,) = _all(_section(made, 'probe').blocks, page.Table)
  assert '4 test images' in table.caption
  assert table.rows == (('linear: code', '60.0 +- 10.0'),)
  (table,) = _all(_section(made, 'codec').blocks, page.Table)
  assert table.rows[0] == ('file', '100', f'{800 / 224:.4f}')
  assert ('png, together', '150', f'{1200 / 224:.4f}') in table.rows
  assert 'no training log' in _texts(_section(made, 'curves'))


def test_the_command_writes_a_page_and_keeps_what_is_there(runs, tmp_path):
  out = tmp_path / 'new/report.html'
  args = (f'--workdir={runs["with"]}', f'--out={out}', '--max_images=4')
  result = commands.run('report', *args, '--quiet')
  assert (result.status, result.stderr) == (0, ''), result.stderr
  assert result.stdout == f'wrote {out}\n'
  text = out.read_text()
  assert text.startswith('<!doctype html>') and '--max_images=4' in text
  again = commands.run('report', *args)
  assert again.status == 1 and '--out must be a new file' in again.stderr
  assert out.read_text() == text


@pytest.mark.parametrize(
  'args, message',
  [
    ([], '--out must be given'),
    (['--out={tmp}/a.txt'], '--out must end in .html'),
    (['--out={tmp}/a.html', '--max_images=1'], '--max_images must be'),
    (['--out={tmp}/a.html', '--workdir=nowhere'], '--workdir must be'),
    (
      ['--out={tmp}/a.html', '--workdir={run}/'],
      '--workdir must name each run once',
    ),
    (['--out={tmp}/a.html', '--checkpoint=bets'], "Did you mean 'best'"),
    (['--out={tmp}/a.html', '--data_dir=nowhere'], '--data_dir must'),
  ],
)
def test_it_says_what_it_cannot_do(runs, args, message, tmp_path):
  args = [a.format(run=runs['with'], tmp=tmp_path) for a in args]
  result = commands.run('report', f'--workdir={runs["with"]}', *args)
  assert result.status == 1
  (line,) = result.stderr.strip().splitlines()
  assert message in line, line
  assert not any(tmp_path.iterdir())
