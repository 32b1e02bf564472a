"""What tells classes by a few labels: scikit-learn's, with their settings.

#### References

[1]: Dengyong Zhou et al. Learning with Local and Global Consistency. In _Neural
     Information Processing Systems_, 2003. (section 2)
"""

import contextlib
import warnings

import numpy as np
from sklearn import exceptions, linear_model, neighbors, semi_supervised

# Weight decay of the linear probe per image, of which held-out labels choose.
_STRENGTHS = (0.1, 0.01, 0.001, 0.0001)
_USUAL_STRENGTH = 0.01  # Where labels are too few to hold some out.
_HELD_OUT = 5  # One label of so many is held out; each class needs as many.
_MOST_TO_CHOOSE = 5000  # Labels that choose the strength.
_EDGES = 10  # To the nearest others, of each image in the graph.
_SPREAD = 0.99  # What an image takes from its neighbours, as in [1].
_ROUNDS = 50


def linear(
  train: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int = 0
) -> np.ndarray:
  """Logistic regression; a fifth of the labels chooses its weight decay.

  >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
  >>> linear(x, np.array([3, 3, 5, 5]), np.array([[-1.5], [1.5]])).tolist()
  [3, 5]

  Args:
    train: Array of shape `[num, size]`, numbers of about one scale.
    labels: Integers of shape `[num]`, of two classes at least.
    test: Array of shape `[num_test, size]`.
    seed: Python integer that decides which labels are held out.

  Returns:
    Classes of shape `[num_test]`.
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
  """A vote of the nearest images, the nearer the more it counts."""
  # train [num, size]; labels [num]; test [num_test, size] -> [num_test]
  model = neighbors.KNeighborsClassifier(
    min(num_neighbors, len(labels)), weights='distance', algorithm='brute'
  )
  with _quiet():
    return model.fit(train, labels).predict(test)


@contextlib.contextmanager
def _quiet():
  """Without what scikit-learn says of few labels and of few iterations."""
  # Accuracy stands still long before the weights do.
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    warnings.filterwarnings(
      'ignore', 'The number of unique classes', UserWarning
    )
    yield


class Spreading:
  """Labels spread over the graph of nearest neighbours of all images [1].

  The graph needs no labels. A test image takes the mean of what its nearest
  neighbours have in the end.

  >>> x = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
  >>> spread = Spreading(x, np.array([[0.3], [4.9]]), edges=2)
  >>> spread(np.array([0, 5]), np.array([7, 8])).tolist()
  [7, 8]
  """

  def __init__(self, train: np.ndarray, test: np.ndarray, edges: int = _EDGES):
    """Makes the graph.

    Args:
      train: Array of shape `[num, size]`, numbers of about one scale.
      test: Array of shape `[num_test, size]`.
      edges: To how many of the others an image has one.
    """
    edges = min(edges, len(train) - 1)
    index = neighbors.NearestNeighbors(n_neighbors=edges, algorithm='brute')
    index.fit(train)
    graph = index.kneighbors_graph()
    self._graph = graph.maximum(graph.T)
    self._near = index.kneighbors(test, return_distance=False)
    self._train = train

  def __call__(self, index: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Classes of the test images.

    Args:
      index: Numbers of the images that have labels, shape `[num_labels]`.
      labels: Integers of the same shape, not negative.

    Returns:
      Classes of shape `[num_test]`.
    """
    known = np.full(len(self._train), -1)  # How scikit-learn says 'none'.
    known[index] = labels
    model = semi_supervised.LabelSpreading(
      kernel=lambda *_: self._graph, alpha=_SPREAD, max_iter=_ROUNDS
    )
    with _quiet():
      model.fit(self._train, known)
    scores = model.label_distributions_[self._near].sum(1)
    return model.classes_[scores.argmax(1)]
