"""Classification of images from latents of a model trained without labels.

Every classifier sees the same labelled images. Controls are the raw pixels,
another model's latents, and latents shuffled among the images, which leave
chance.

#### References

[1]: Dengyong Zhou et al. Learning with Local and Global Consistency. In _Neural
     Information Processing Systems_, 2003. (section 2)
"""

import contextlib
import statistics
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn import exceptions, linear_model, neighbors, semi_supervised

from vlae_tf import data as data_lib
from vlae_tf.evaluation import latents, likelihood
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, console

_USUAL = (100, 1_000, 10_000)  # Numbers of labels, as far as there are.
_PER_CLASS = (1, 10, 100)  # Labels per class in the table of few labels.

# Weight decay of the linear probe per image, chosen by held-out labels.
_STRENGTHS = (0.1, 0.01, 0.001, 0.0001)
_USUAL_STRENGTH = 0.01  # Where labels are too few to hold some out.
_HELD_OUT = 5  # One label in five is held out; each class needs as many.
_MOST_TO_CHOOSE = 5000  # Labels that choose the strength.
_EDGES = 10  # Nearest neighbours of each image in the graph.
_SPREAD = 0.99  # Share that an image takes from its neighbours, as in [1].
_ROUNDS = 50


class Features(NamedTuple):
  """Inputs of a classifier."""

  name: str
  train: np.ndarray  # [num_train, size]
  test: np.ndarray  # [num_test, size]


def of_codes(
  model: model_lib.VLAE,
  data: data_lib.ImageData,
  kinds: Sequence[str],
  prefix: str = '',
  progress: Callable[[int], Any] = lambda _: None,
) -> list[Features]:
  """Latents, by the fields of `latents.Encoding`, each dimension scaled."""
  train, test = (
    latents.encode_all(model, data.split(split), split, data.kind, progress)
    for split in ('train', 'test')
  )
  found = []
  for kind in kinds:
    seen, unseen = (_flat(getattr(part, kind)) for part in (train, test))
    name = f'{prefix}code, {kind}'
    found.append(_scaled(name, seen, unseen, seen.std(0)))
  return found


def of_pixels(
  data: data_lib.ImageData, others: np.ndarray | None = None
) -> Features:
  """Binarised pixels of training and test images, or of `others`."""

  def seen(split):
    images = data.split(split)
    return data_lib.fixed_binarization(images, split, kind=data.kind)

  train = _flat(seen('train'))
  test = _flat(seen('test') if others is None else others)
  # One scale for all: with a scale each, pixels at the rim, which are hardly
  # ever lit, would count most.
  return _scaled('raw pixels', train, test, np.sqrt(train.var(0).mean()))


def shuffled(features: Features, seed: int = 0) -> Features:
  """Features permuted among the training images."""
  order = np.random.default_rng(seed).permutation(len(features.train))
  name = f'{features.name}, shuffled'
  return Features(name, features.train[order], features.test)


def _flat(x):
  return np.reshape(x, [len(x), -1]).astype(np.float32)


def _scaled(name, train, test, scale):
  mean, scale = train.mean(0), np.where(scale > 0, scale, 1)
  return Features(name, (train - mean) / scale, (test - mean) / scale)


def linear(
  train: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int = 0
) -> np.ndarray:
  """Logistic regression; a fifth of the labels chooses its weight decay.

  >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
  >>> linear(x, np.array([3, 3, 5, 5]), np.array([[-1.5], [1.5]])).tolist()
  [3, 5]
  """
  strength = _USUAL_STRENGTH
  classes, counts = np.unique(labels, return_counts=True)
  if counts.min() >= _HELD_OUT:
    order = np.random.default_rng(seed).permutation(len(labels))
    most = max(_HELD_OUT, _MOST_TO_CHOOSE // len(classes))
    parts = [order[labels[order] == c][:most] for c in classes]
    held = np.concatenate([part[::_HELD_OUT] for part in parts])
    kept = np.setdiff1d(np.concatenate(parts), held)
    scores = [
      _fit(train[kept], labels[kept], s).score(train[held], labels[held])
      for s in _STRENGTHS
    ]
    strength = _STRENGTHS[int(np.argmax(scores))]
  return _fit(train, labels, strength).predict(test)


def _fit(train, labels, strength):
  model = linear_model.LogisticRegression(
    C=1 / (strength * len(labels)), tol=1e-3, max_iter=200
  )
  with _quiet():
    return model.fit(train, labels)


def nearest(
  train: np.ndarray,
  labels: np.ndarray,
  test: np.ndarray,
  num_neighbors: int = 5,
) -> np.ndarray:
  """Nearest neighbours, weighted by the inverse of their distance."""
  model = neighbors.KNeighborsClassifier(
    min(num_neighbors, len(labels)), weights='distance', algorithm='brute'
  )
  with _quiet():
    return model.fit(train, labels).predict(test)


@contextlib.contextmanager
def _quiet():
  """Without scikit-learn's warnings of few labels and of few iterations."""
  # The accuracy converges long before the weights do.
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    warnings.filterwarnings(
      'ignore', 'The number of unique classes', UserWarning
    )
    yield


class Spreading:
  """Label spreading over the nearest-neighbour graph of all images [1].

  The graph needs no labels. A test image takes the mean of the label
  distributions of its nearest training images.

  >>> x = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
  >>> spread = Spreading(x, np.array([[0.3], [4.9]]), edges=2)
  >>> spread(np.array([0, 5]), np.array([7, 8])).tolist()
  [7, 8]
  """

  def __init__(self, train: np.ndarray, test: np.ndarray, edges: int = _EDGES):
    edges = min(edges, len(train) - 1)
    index = neighbors.NearestNeighbors(n_neighbors=edges, algorithm='brute')
    index.fit(train)
    graph = index.kneighbors_graph()
    self._graph = graph.maximum(graph.T)
    self._near = index.kneighbors(test, return_distance=False)
    self._train = train

  def __call__(self, index: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Classes of the test images, given labels of the images `index`."""
    known = np.full(len(self._train), -1)  # scikit-learn's 'no label'.
    known[index] = labels
    model = semi_supervised.LabelSpreading(
      kernel=lambda *_: self._graph, alpha=_SPREAD, max_iter=_ROUNDS
    )
    with _quiet():
      model.fit(self._train, known)
    scores = model.label_distributions_[self._near].sum(1)
    return model.classes_[scores.argmax(1)]


class Row(NamedTuple):
  """Test accuracies of a classifier."""

  classifier: str
  features: str
  # A fraction for each draw of labelled images, by the number of labels.
  accuracies: dict[int, list[float]]


class Report(NamedTuple):
  """Results of a `Prober`."""

  rows: list[Row]  # Classifiers fitted to the labelled images alone.
  of_few: list[Row]  # Few labels, also spread among all images.


def draw(labels: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
  """Draws indices of `num` labelled images, as balanced as classes allow.

  >>> chosen = draw(np.array([0, 1, 1, 1, 1]), 3, np.random.default_rng(0))
  >>> sorted(np.array([0, 1, 1, 1, 1])[chosen].tolist())
  [0, 1, 1]
  """
  classes = np.unique(labels)
  checks.integer('num_labels', num, len(classes), len(labels))
  order = rng.permutation(len(labels))
  turn = np.empty(len(labels), int)  # The round in which an image is drawn.
  for c in classes:
    of_class = order[labels[order] == c]
    turn[of_class] = np.arange(len(of_class))
  # By rounds, in random order within a round.
  return np.lexsort([rng.permutation(len(labels)), turn])[:num]


class Prober:
  """Fits classifiers to draws of labelled images, the same for all features."""

  def __init__(
    self,
    data: data_lib.ImageData,
    repeats: int = 5,
    num_neighbors: int = 5,
    seed: int = 0,
  ):
    """Takes data with labels; `repeats` draws of each number, one of all."""
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
    self._repeats = checks.integer('repeats', repeats, 1)
    self._neighbors = checks.integer('num_neighbors', num_neighbors, 1)
    self._seed = checks.integer('seed', seed)

  def check(self, numbers: Sequence[int]) -> None:
    for num in numbers:
      checks.integer('num_labels', num, self.num_classes, self.num_train)
    checks.distinct('num_labels', numbers)

  def usual(self) -> list[int]:
    """100, 1,000 and 10,000 labels as far as there are, and all labels."""
    fit = [n for n in _USUAL if self.num_classes <= n < self.num_train]
    return [*fit, self.num_train]

  def few(self) -> list[int]:
    """Numbers of labels with 1, 10 and 100 per class, as classes allow."""
    least = np.unique(self._train, return_counts=True)[1].min()
    return [n * self.num_classes for n in _PER_CLASS if n <= least]

  def num_fits(self, numbers: Sequence[int], num_features: int) -> int:
    """Number of fits of a call with so many features and the control."""
    fits = 2 * (num_features + 1) * sum(map(self._num_draws, numbers))
    return fits + 3 * num_features * sum(map(self._num_draws, self.few()))

  def __call__(
    self,
    features: Sequence[Features],
    control: Features,
    numbers: Sequence[int],
    progress: Callable[[int], Any] = lambda _: None,
  ) -> Report:
    """Fits all classifiers; `control` is left out with few labels."""
    self.check(numbers)
    votes = f'{self._neighbors} nearest neighbours'
    classifiers = {
      'linear': lambda f, i, y: linear(f.train[i], y, f.test, self._seed),
      votes: lambda f, i, y: nearest(f.train[i], y, f.test, self._neighbors),
    }
    rows = [
      self._row(name, fit, f, numbers, progress)
      for name, fit in classifiers.items()
      for f in [*features, control]
    ]
    few, of_few = self.few(), []
    for f in features:
      spreading = Spreading(f.train, f.test)
      fits = classifiers | {
        'labels spread': lambda _, index, y, spread=spreading: spread(index, y)
      }
      for name, fit in fits.items():
        of_few.append(self._row(name, fit, f, few, progress))
    return Report(rows, of_few)

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
    return self._repeats if num < self.num_train else 1


def text(report: Report, data: data_lib.ImageData, class_name: str) -> str:
  """A report as tables of text."""
  assert data.labels is not None
  num_train, num_classes = len(data.train), len(np.unique(data.labels['train']))
  lines = [
    f'{num_train:,} training and {len(data.test):,} test images of '
    f'{data.name}, {num_classes} {class_name}',
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


# Of what `probe` writes.
FORM = {
  'step': int,
  'num_labels': [int],
  'num_test': int,
  'repeats': int,
  'rows': [{'classifier': str, 'features': str, 'accuracies': {str: [float]}}],
}


def as_json(report: Report) -> dict[str, Any]:
  """A report for JSON; accuracies are fractions, one for each draw."""
  return {
    name: [row._asdict() for row in rows]
    for name, rows in report._asdict().items()
  }


def _table(rows, num_train):
  heads = [f'{"all " * (n == num_train)}{n:,}' for n in rows[0].accuracies]
  lines = [['labels', *heads]]
  for row in rows:
    # One draw has no error: its mean is below the other means.
    cells = [
      percent(found, 2) + ' ' * len(' +- 0.00') * (len(found) == 1)
      for found in row.accuracies.values()
    ]
    lines.append([f'{row.classifier}: {row.features}', *cells])
  return console.columns(lines)


def percent(accuracies: Sequence[float] | None, digits: int = 1) -> str:
  """The mean of accuracies in %, with its standard error over several."""
  if not accuracies:
    return ''
  values = [100 * accuracy for accuracy in accuracies]
  error = likelihood.standard_error(np.array(values))
  return likelihood.with_error(statistics.mean(values), error, digits)
