"""Classifiers of few and of many labels."""

import numpy as np
import pytest
from scipy import stats

from vlae_tf.evaluation import classifiers


def _two_gaussians(num, size, distance, seed):
  """Points of two normal laws, `2 distance` apart along all axes together."""
  rng = np.random.default_rng(seed)
  labels = np.arange(num) % 2
  side = (2 * labels[:, None] - 1) * distance / np.sqrt(size)
  return (side + rng.standard_normal((num, size))).astype('float32'), labels


@pytest.mark.parametrize('num', [400, 20_000])
def test_the_linear_probe_is_nearly_the_best_there_is(num):
  train, labels = _two_gaussians(num, 20, 1.5, 0)
  test, truth = _two_gaussians(20_000, 20, 1.5, 1)
  right = np.mean(classifiers.linear(train, labels, test) == truth)
  assert stats.norm.cdf(1.5) == pytest.approx(right, abs=0.015)


def test_held_out_labels_choose_the_weight_decay(monkeypatch):
  train, labels = _two_gaussians(60, 400, 2, 0)
  test, strengths = train[:1], []
  monkeypatch.setattr(classifiers, '_STRENGTHS', (0.1, 0.2))
  fit = classifiers._fit
  monkeypatch.setattr(
    classifiers,
    '_fit',
    lambda x, y, s: strengths.append((len(y), s)) or fit(x, y, s),
  )
  classifiers.linear(train, labels, test)
  assert strengths[:2] == [(48, 0.1), (48, 0.2)]
  assert len(strengths) == 3 and strengths[2][0] == 60
  strengths.clear()
  classifiers.linear(train[:8], labels[:8], test)
  assert strengths == [(8, 0.01)]
  # One that shrinks all weights to nothing is not chosen.
  train, labels = _two_gaussians(200, 1, 2, 0)
  some = (labels == 0) | (np.arange(200) < 30)  # Classes of unlike sizes.
  train, labels = train[some], labels[some]
  monkeypatch.setattr(classifiers, '_STRENGTHS', (1e6, 0.01))
  classifiers.linear(train, labels, train)
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
  found = classifiers.nearest(train, labels, test, num_neighbors)
  np.testing.assert_array_equal(found, expected)


def test_one_label_spreads_along_the_whole_of_its_arc():
  angle = np.linspace(0, np.pi, 60)[:, None]
  upper = np.concatenate([np.cos(angle), np.sin(angle)], 1)
  lower = np.array([1.0, 0.3]) - upper
  train, labels = np.concatenate([upper, lower]), np.repeat([4, 9], 60)
  index = np.array([0, 60])
  spread = classifiers.Spreading(train, train, edges=3)
  np.testing.assert_array_equal(spread(index, labels[index]), labels)
  alone = classifiers.nearest(train[index], labels[index], train)
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
  found = classifiers.Spreading(train, test, edges=4)(index, labels)
  # It may stop a little earlier.
  assert np.mean(found == expected) >= 0.95


def test_an_island_without_labels_gets_some_class():
  train = np.concatenate([np.arange(5.0), 1000 + np.arange(5.0)])[:, None]
  spread = classifiers.Spreading(train, train, edges=2)
  found = spread(np.array([0, 4]), np.array([3, 3]))
  np.testing.assert_array_equal(found, np.full(10, 3))


@pytest.mark.filterwarnings('error')
def test_one_label_a_class_is_no_reason_to_warn():
  train = np.eye(30)
  labels = np.arange(30)
  spread = classifiers.Spreading(train, train, edges=3)
  for found in (
    classifiers.linear(train, labels, train),
    classifiers.nearest(train, labels, train),
  ):
    np.testing.assert_array_equal(found, labels)
  assert len(spread(labels, labels)) == 30
