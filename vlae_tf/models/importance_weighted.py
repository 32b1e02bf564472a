"""The importance-weighted bound as what is minimised.

#### References

[1]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519
"""

import tensorflow as tf

from vlae_tf.models.elbo import NegativeELBO
from vlae_tf.models.terms import Terms
from vlae_tf.utils import checks, serialization


@serialization.register
class ImportanceWeighted(NegativeELBO):
  """`-mean(log mean{ p(x, z[k]) / q(z[k]|x) })`, a tighter bound [1].

  Its gradient weights each code's terms by that code's share of the sum, so it
  comes in the same two parts as the ELBO's.

  >>> terms = Terms(tf.constant([[3.0], [1.0]]), rate=tf.ones([2, 1]))
  >>> bound = ImportanceWeighted(num_samples=2).bound(terms)
  >>> float(bound[0]) > float(tf.reduce_mean(terms.elbo))
  True
  """

  def __init__(self, num_samples: int):
    """Creates the objective.

    Args:
      num_samples: Codes of each image, at least 1.
    """
    self.num_samples = checks.integer('num_samples', num_samples, 1)

  def parts(self, terms: Terms) -> tuple[tf.Tensor, tf.Tensor]:
    """As `NegativeELBO.parts`; their sum is worth the negative bound."""
    shape = [-1, tf.shape(terms.rate)[-1]]
    distortion, rate = [tf.reshape(t, shape) for t in terms]
    share = tf.stop_gradient(tf.nn.softmax(-distortion - rate, axis=0))
    distortion, rate = [tf.reduce_sum(share * t, 0) for t in (distortion, rate)]
    # Jensen's gap, a constant to the gradient, is put to the distortion.
    gap = -self.bound(terms) - distortion - rate
    return distortion + tf.stop_gradient(gap), rate

  def bound(self, terms: Terms) -> tf.Tensor:
    elbo = tf.reshape(terms.elbo, [-1, tf.shape(terms.rate)[-1]])
    codes = tf.cast(tf.shape(elbo)[0], elbo.dtype)
    return tf.reduce_logsumexp(elbo, 0) - tf.math.log(codes)
