"""Probing: draws of labels, features and classifiers."""

import collections

import numpy as np
import pytest
import toys
from scipy import stats

from vlae_tf import data as data_lib
from vlae_tf.data.image_data import SPLITS
from vlae_tf.evaluation import latents, probing

pytestmark = pytest.mark.usefixtures('all_eagerly')


def _labelled(num=60, num_classes=3, seed=0):
  """Random images with independent labels."""
  rng = np.random.default_rng(seed)
  images = [rng.random((num, 6, 5, 1), np.float32) for _ in range(3)]
  labels = {s: rng.integers(0, num_classes, num) for s in SPLITS}
  return data_lib.ImageData('labelled', *images, labels)


def _evenest(sizes, num):
  """Numbers of each class, drawn one by one in rounds."""
  taken = [0] * len(sizes)
  while sum(taken) < num:
    for i in [i for i, n in enumerate(sizes) if taken[i] < n]:
      taken[i] += sum(taken) < num
  return sorted(taken)


@pytest.mark.parametrize('num', [4, 5, 8, 15, 21, 36])
def test_labelled_images_are_as_even_as_classes_allow(num):
  sizes = [2, 5, 9, 20]
  labels = np.random.default_rng(0).permutation(np.repeat(range(4), sizes))
  chosen = probing.draw(labels, num, np.random.default_rng(1))
  assert len({*chosen}) == len(chosen) == num
  counts = collections.Counter(labels[chosen])
  # In the last, incomplete round some classes get one more.
  assert sorted(counts.values()) == _evenest(sizes, num)


def test_every_image_of_a_class_is_drawn_as_often():
  labels = np.repeat([0, 1], [4, 12])
  counts = np.zeros(16)
  for seed in range(2000):
    counts[probing.draw(labels, 5, np.random.default_rng(seed))] += 1
  # Two of each class, and the fifth of either.
  np.testing.assert_allclose(counts[:4], counts[:4].mean(), rtol=0.1)
  np.testing.assert_allclose(counts[4:], counts[4:].mean(), rtol=0.15)
  assert counts[:4].sum() == pytest.approx(5000, rel=0.05)


def _planted(data):
  """One-hot labels with a little noise, in place of latents."""
  rng = np.random.default_rng(0)
  parts = (
    np.eye(3)[data.labels[s]] + 0.1 * rng.standard_normal((60, 3))
    for s in ('train', 'test')
  )
  return probing.Features('planted', *parts)


def test_a_code_of_the_label_is_found_and_a_shuffled_one_is_chance():
  data = _labelled()
  planted = _planted(data)
  prober = probing.Prober(data, repeats=4)
  control = probing.shuffled(planted)
  report = prober([planted], control, [6, 30, 60])
  found = {(r.classifier, r.features): r.accuracies for r in report.rows}
  assert len(found) == 4
  for (_, name), accuracies in found.items():
    assert {n: len(a) for n, a in accuracies.items()} == {6: 4, 30: 4, 60: 1}
    if name == 'planted':
      assert min(min(a) for a in accuracies.values()) == 1
    else:
      assert np.mean(accuracies[60]) < 0.7
  assert [r.classifier for r in report.of_few] == [
    'linear',
    '5 nearest neighbours',
    'labels spread',
  ]
  for row in report.of_few:
    assert {n: len(a) for n, a in row.accuracies.items()} == {3: 4, 30: 4}
    assert np.mean(row.accuracies[30]) == 1


def test_all_see_the_same_draws_which_differ_and_follow_from_the_seed(
  monkeypatch,
):
  data, seen = _labelled(), collections.defaultdict(list)

  def record(name):
    def fit(train, labels, test, _):
      seen[name].append(train[:, 0].tolist())
      return np.zeros(len(test))

    return fit

  monkeypatch.setattr(probing, 'linear', record('linear'))
  monkeypatch.setattr(probing, 'nearest', record('nearest'))
  numbered = probing.Features(
    'numbered', np.arange(60.0)[:, None], np.zeros([60, 1])
  )
  first = []
  for seed in (0, 0, 1):
    seen.clear()
    prober = probing.Prober(data, repeats=2, seed=seed)
    counted = []
    prober([numbered], numbered, [9], counted.append)
    assert sum(counted) == prober.num_fits([9], 1)
    assert seen['linear'] == seen['nearest']
    assert seen['linear'][:2] == seen['linear'][2:4]  # The control's.
    assert seen['linear'][0] != seen['linear'][1]
    first.append(seen['linear'][0])
  assert first[0] == first[1] != first[2]


def test_codes_are_scaled_by_all_training_images():
  model, data = toys.small_model(encoder_widths='4', flow_steps=1), _labelled()
  mean, eps = probing.of_codes(model, data, ['mean', 'eps'], 'other ')
  assert (mean.name, eps.name) == ('other code, mean', 'other code, eps')
  train = latents.encode_all(model, data.train, 'train')
  test = latents.encode_all(model, data.test, 'test')
  for found, a, b in (
    (mean, train.mean, test.mean),
    (eps, train.eps, test.eps),
  ):
    centre, scale = a.mean(0), a.std(0)
    np.testing.assert_allclose(found.train, (a - centre) / scale, 1e-4, 1e-5)
    np.testing.assert_allclose(found.test, (b - centre) / scale, 1e-4, 1e-5)


def test_pixels_are_scaled_together_and_of_the_same_binarisation():
  data = _labelled()
  found = probing.of_pixels(data)
  pixels = data_lib.fixed_binarization(data.train, 'train').reshape(60, -1)
  np.testing.assert_allclose(found.train.mean(0), 0, atol=1e-5)
  assert np.mean(found.train**2) == pytest.approx(1, rel=1e-4)
  steps = found.train.max(0) - found.train.min(0)
  np.testing.assert_allclose(steps, steps[0], rtol=1e-4)
  lit = found.train > 0
  np.testing.assert_array_equal(lit, pixels == 1)
  blank = np.zeros([3, 2, 2, 1], bool)
  nothing = probing.of_pixels(data_lib.ImageData('blank', *[blank] * 3))
  np.testing.assert_array_equal(nothing.test, np.zeros([3, 4]))


def test_shuffled_features_are_the_same_of_other_images():
  planted = _planted(_labelled())
  found = probing.shuffled(planted)
  assert found.name == 'planted, shuffled'
  assert (found.train != planted.train).any(1).mean() > 0.9
  np.testing.assert_array_equal(
    np.sort(found.train, 0), np.sort(planted.train, 0)
  )
  rows = {tuple(row) for row in planted.train}
  assert {tuple(row) for row in found.train} == rows
  np.testing.assert_array_equal(found.test, planted.test)


def test_numbers_of_labels_go_as_far_as_there_are():
  prober = probing.Prober(_labelled())
  assert prober.usual() == [60]
  assert prober.few() == [3, 30]
  many = probing.Prober(_labelled(1200))
  assert many.usual() == [100, 1000, 1200]
  assert many.few() == [3, 30, 300]


def test_the_table_says_units_and_errors():
  rows = [
    probing.Row('linear', 'code, mean', {10: [0.5, 0.52], 60: [0.75]}),
    probing.Row('linear', 'raw pixels', {10: [0.25, 0.25], 60: [0.5]}),
  ]
  lines = probing.text(
    probing.Report(rows, []), _labelled(), 'letters'
  ).splitlines()
  assert lines[0] == '60 training and 60 test images of labelled, 3 letters'
  assert lines[1].startswith('test accuracy in %, +- standard error over draws')
  assert lines[2].split() == ['labels', '10', 'all', '60']
  assert lines[3].split() == 'linear: code, mean 51.00 +- 1.00 75.00'.split()
  assert lines[4].split() == 'linear: raw pixels 25.00 +- 0.00 50.00'.split()
  assert len(lines) == 5


@pytest.mark.parametrize(
  'numbers, message',
  [
    ([2], r'`num_labels` must be in \[3, 60\], got 2'),
    ([61], r'`num_labels` must be in \[3, 60\], got 61'),
    (
      [9, 9],
      r'`num_labels` must be one or more values, each once, got \[9, 9\]',
    ),
    ([], '`num_labels` must be one or more'),
  ],
)
def test_bad_numbers_are_refused(numbers, message):
  with pytest.raises(ValueError, match=message):
    probing.Prober(_labelled()).check(numbers)


def test_data_without_labels_or_classes_are_refused():
  with pytest.raises(ValueError, match=r'`dataset` .* tiny, which has none'):
    probing.Prober(toys.image_data())
  with pytest.raises(ValueError, match='two classes at least, got one'):
    probing.Prober(_labelled(num_classes=1))


def _two_gaussians(num, size, distance, seed):
  """Points of two Gaussians with means `2 distance` apart."""
  rng = np.random.default_rng(seed)
  labels = np.arange(num) % 2
  side = (2 * labels[:, None] - 1) * distance / np.sqrt(size)
  return (side + rng.standard_normal((num, size))).astype('float32'), labels


@pytest.mark.parametrize('num', [400, 20_000])
def test_the_linear_probe_is_nearly_the_best_there_is(num):
  train, labels = _two_gaussians(num, 20, 1.5, 0)
  test, truth = _two_gaussians(20_000, 20, 1.5, 1)
  right = np.mean(probing.linear(train, labels, test) == truth)
  assert stats.norm.cdf(1.5) == pytest.approx(right, abs=0.015)


def test_held_out_labels_choose_the_weight_decay(monkeypatch):
  train, labels = _two_gaussians(60, 400, 2, 0)
  test, strengths = train[:1], []
  monkeypatch.setattr(probing, '_STRENGTHS', (0.1, 0.2))
  fit = probing._fit
  monkeypatch.setattr(
    probing,
    '_fit',
    lambda x, y, s: strengths.append((len(y), s)) or fit(x, y, s),
  )
  probing.linear(train, labels, test)
  assert strengths[:2] == [(48, 0.1), (48, 0.2)]
  assert len(strengths) == 3 and strengths[2][0] == 60
  strengths.clear()
  probing.linear(train[:8], labels[:8], test)
  assert strengths == [(8, 0.01)]
  # A decay that shrinks all weights to zero is not chosen.
  train, labels = _two_gaussians(200, 1, 2, 0)
  some = (labels == 0) | (np.arange(200) < 30)  # Classes of unlike sizes.
  train, labels = train[some], labels[some]
  monkeypatch.setattr(probing, '_STRENGTHS', (1e6, 0.01))
  probing.linear(train, labels, train)
  assert strengths[-1] == (115, 0.01)


@pytest.mark.parametrize('num_neighbors', [1, 3, 50])
def test_neighbours_vote_by_the_inverse_of_their_distance(num_neighbors):
  rng = np.random.default_rng(0)
  train, test = rng.standard_normal((20, 3)), rng.standard_normal((30, 3))
  labels = rng.integers(0, 3, 20)
  expected = []
  for x in test:
    distance = np.sqrt(((train - x) ** 2).sum(1))
    votes = np.zeros(3)
    for i in np.argsort(distance)[:num_neighbors]:
      votes[labels[i]] += 1 / distance[i]
    expected.append(votes.argmax())
  found = probing.nearest(train, labels, test, num_neighbors)
  np.testing.assert_array_equal(found, expected)


def test_one_label_spreads_along_the_whole_of_its_arc():
  angle = np.linspace(0, np.pi, 60)[:, None]
  upper = np.concatenate([np.cos(angle), np.sin(angle)], 1)
  lower = np.array([1.0, 0.3]) - upper
  train, labels = np.concatenate([upper, lower]), np.repeat([4, 9], 60)
  index = np.array([0, 60])
  spread = probing.Spreading(train, train, edges=3)
  np.testing.assert_array_equal(spread(index, labels[index]), labels)
  alone = probing.nearest(train[index], labels[index], train)
  assert np.mean(alone == labels) < 0.9


def test_labels_spread_as_their_recursion_says():
  rng = np.random.default_rng(0)
  train, test = rng.standard_normal((50, 2)), rng.standard_normal((40, 2))
  index, labels = np.arange(6), np.array([0, 1, 2, 0, 1, 2])
  distance = np.linalg.norm(train[:, None] - train, axis=2)
  np.fill_diagonal(distance, np.inf)
  graph = np.zeros([50, 50])
  for i, near in enumerate(np.argsort(distance, 1)[:, :4]):
    graph[i, near] = graph[near, i] = 1
  degree = np.sqrt(graph.sum(1))
  start = np.zeros([50, 3])
  start[index, labels] = 1
  f = start
  for _ in range(50):
    f = 0.99 * graph / degree / degree[:, None] @ f + 0.01 * start
  f = f / f.sum(1, keepdims=True)
  near = np.argsort(np.linalg.norm(test[:, None] - train, axis=2), 1)[:, :4]
  expected = f[near].sum(1).argmax(1)
  found = probing.Spreading(train, test, edges=4)(index, labels)
  # It may stop a little earlier.
  assert np.mean(found == expected) >= 0.95


def test_an_island_without_labels_gets_some_class():
  train = np.concatenate([np.arange(5.0), 1000 + np.arange(5.0)])[:, None]
  spread = probing.Spreading(train, train, edges=2)
  found = spread(np.array([0, 4]), np.array([3, 3]))
  np.testing.assert_array_equal(found, np.full(10, 3))


@pytest.mark.filterwarnings('error')
def test_one_label_a_class_is_no_reason_to_warn():
  train = np.eye(30)
  labels = np.arange(30)
  spread = probing.Spreading(train, train, edges=3)
  for found in (
    probing.linear(train, labels, train),
    probing.nearest(train, labels, train),
  ):
    np.testing.assert_array_equal(found, labels)
  assert len(spread(labels, labels)) == 30
