"""The folder that a model is shared in: weights, sums, card."""
