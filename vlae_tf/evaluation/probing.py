"""What a code knows of labels that its model was not trained on.

Every classifier sees the same labelled images. Controls stand beside the code:
the raw pixels, another model's code, and the code shuffled among the images,
which leaves chance.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from vlae_tf import data as data_lib
from vlae_tf.evaluation import classifiers, estimates
from vlae_tf.evaluation.features import Features
from vlae_tf.utils import checks

_USUAL = (100, 1_000, 10_000)  # Labels, as far as there are.
_PER_CLASS = (1, 10, 100)  # Labels of the table of few.


class Row(NamedTuple):
  """How often a classifier is right about test images."""

  classifier: str
  features: str
  # One fraction a draw of labelled images, by the number of these.
  accuracies: dict[int, list[float]]


class Report(NamedTuple):
  """What `Prober` finds."""

  rows: list[Row]  # Of classifiers that see labelled images alone.
  of_few: list[Row]  # Of few labels, spread among all images as well.


def draw(labels: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
  """Draws labelled images so that classes are as even as they can be.

  >>> chosen = draw(np.array([0, 1, 1, 1, 1]), 3, np.random.default_rng(0))
  >>> sorted(np.array([0, 1, 1, 1, 1])[chosen].tolist())
  [0, 1, 1]

  Args:
    labels: Integers of shape `[num_images]`.
    num: How many, at least one of each class.
    rng: Generator of random numbers.

  Returns:
    Numbers of images, shape `[num]`.

  Raises:
    ValueError: There are not as many, or more classes.
  """
  classes = np.unique(labels)
  checks.integer('num_labels', num, len(classes), len(labels))
  order = rng.permutation(len(labels))
  turn = np.empty(len(labels), int)  # In which round an image is drawn.
  for c in classes:
    of_class = order[labels[order] == c]
    turn[of_class] = np.arange(len(of_class))
  # By rounds, and within a round in an order of its own.
  return np.lexsort([rng.permutation(len(labels)), turn])[:num]


class Prober:
  """Fits classifiers to draws of labelled images, the same for all features.

  >>> data = data_lib.load('digits')
  >>> pixels = Features('itself', *(x.reshape(len(x), -1) / 255.0
  ...   for x in (data.train, data.test)))
  >>> report = Prober(data, repeats=2)([pixels], pixels, [20])
  >>> [(row.classifier, len(row.accuracies[20])) for row in report.rows[:2]]
  [('linear', 2), ('linear', 2)]
  """

  def __init__(
    self,
    data: data_lib.ImageData,
    repeats: int = 5,
    num_neighbors: int = 5,
    seed: int = 0,
  ):
    """Creates it.

    Args:
      data: `ImageData` with labels.
      repeats: Draws of labelled images for each number of labels; all labels
        are drawn once.
      num_neighbors: How many neighbours vote.
      seed: Python integer that decides the draws.

    Raises:
      ValueError: There are no labels, or one class alone; or a number is too
        small.
    """
    if data.labels is None:
      raise ValueError(
        f'`dataset` must be one with labels, got {data.name}, which has none.'
      )
    self._train, self._test = data.labels['train'], data.labels['test']
    self.num_train = len(self._train)
    self.num_classes = len(np.unique(self._train))
    if self.num_classes < 2:
      raise ValueError(
        '`labels` must be of two classes at least, got one in the training '
        f'images of {data.name}.'
      )
    self.repeats = checks.integer('repeats', repeats, 1)
    self._neighbors = checks.integer('num_neighbors', num_neighbors, 1)
    self._seed = checks.integer('seed', seed)

  def check(self, numbers: Sequence[int]) -> None:
    """Checks numbers of labels.

    Args:
      numbers: Python integers.

    Raises:
      ValueError: One is more than there are labels, or less than classes; one
        is given twice, or none.
    """
    for num in numbers:
      checks.integer('num_labels', num, self.num_classes, self.num_train)
    if len(set(numbers)) < len(numbers) or not numbers:
      raise ValueError(
        f'`num_labels` must be some numbers, each once, got {list(numbers)}.'
      )

  def usual(self) -> list[int]:
    """100, 1,000 and 10,000 labels as far as there are, and all of them."""
    fit = [n for n in _USUAL if self.num_classes <= n < self.num_train]
    return [*fit, self.num_train]

  def few(self) -> list[int]:
    """Numbers of labels with 1, 10 and 100 a class, as long as classes last."""
    least = np.unique(self._train, return_counts=True)[1].min()
    return [n * self.num_classes for n in _PER_CLASS if n <= least]

  def num_fits(self, numbers: Sequence[int], num_features: int) -> int:
    """How many fits a call makes with so many features and the control."""
    fits = 2 * (num_features + 1) * sum(map(self._num_draws, numbers))
    return fits + 3 * num_features * sum(map(self._num_draws, self.few()))

  def __call__(
    self,
    features: Sequence[Features],
    control: Features,
    numbers: Sequence[int],
    progress: Callable[[int], Any] = lambda _: None,
  ) -> Report:
    """Fits all classifiers.

    Args:
      features: What they see of the images.
      control: The same of `shuffled` features; not for few labels.
      numbers: Numbers of labels.
      progress: Called with 1 after each fit.

    Returns:
      A `Report`.

    Raises:
      ValueError: See `check`.
    """
    self.check(numbers)
    rows = [
      self._row(name, fit, f, numbers, progress)
      for name, fit in self._classifiers().items()
      for f in [*features, control]
    ]
    few, of_few = self.few(), []
    for f in features:
      fits = self._classifiers() | {'labels spread': self._spreading(f)}
      for name, fit in fits.items():
        of_few.append(self._row(name, fit, f, few, progress))
    return Report(rows, of_few)

  def _classifiers(self):
    """Functions from features, labelled images and labels to classes."""

    def linear(f, index, y):
      return classifiers.linear(f.train[index], y, f.test, self._seed)

    def nearest(f, index, y):
      return classifiers.nearest(f.train[index], y, f.test, self._neighbors)

    return {
      'linear': linear,
      f'{self._neighbors} nearest neighbours': nearest,
    }

  def _spreading(self, features):
    spreading = classifiers.Spreading(features.train, features.test)
    return lambda _, index, y: spreading(index, y)

  def _row(self, name, fit, features, numbers, progress):
    accuracies: dict[int, list[float]] = {num: [] for num in numbers}
    for num in numbers:
      for i in range(self._num_draws(num)):
        rng = np.random.default_rng([self._seed, num, i])
        index = draw(self._train, num, rng)
        right = fit(features, index, self._train[index]) == self._test
        accuracies[num].append(float(np.mean(right)))
        progress(1)
    return Row(name, features.name, accuracies)

  def _num_draws(self, num):
    return self.repeats if num < self.num_train else 1


def text(report: Report, data: data_lib.ImageData, what: str) -> str:
  """The lines that a person reads."""
  assert data.labels is not None
  num_train, num_classes = len(data.train), len(np.unique(data.labels['train']))
  lines = [
    f'{num_train:,} training and {len(data.test):,} test images of '
    f'{data.name}, {num_classes} {what}',
    'test accuracy in %, +- standard error over draws of labelled images, '
    'which are as even among classes as these allow',
    _table(report.rows, num_train),
  ]
  if report.of_few and report.of_few[0].accuracies:
    lines += [
      '',
      'few labels: of labelled images alone, or spread along the graph of '
      'nearest neighbours of all training images',
      _table(report.of_few, num_train),
    ]
  return '\n'.join(lines)


def as_json(report: Report) -> dict[str, Any]:
  """A report as JSON has it; accuracies are fractions, one a draw."""
  return {
    name: [row._asdict() for row in rows]
    for name, rows in report._asdict().items()
  }


def _table(rows, num_train):
  names = [f'{row.classifier}: {row.features}' for row in rows]
  width = max(map(len, ['labels', *names]))
  heads = [f'{"all " * (n == num_train)}{n:,}' for n in rows[0].accuracies]
  lines = ['  '.join([f'{"labels":{width}}', *(f'{h:>13}' for h in heads)])]
  for name, row in zip(names, rows):
    cells = [f'{_cell(a):>13}' for a in row.accuracies.values()]
    lines.append('  '.join([f'{name:{width}}', *cells]))
  return '\n'.join(line.rstrip() for line in lines)


def _cell(accuracies):
  percent = 100 * np.array(accuracies)
  if len(percent) == 1:
    return f'{percent[0]:.2f}        '
  return f'{percent.mean():.2f} +- {estimates.standard_error(percent):.2f}'
