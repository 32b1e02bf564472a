"""A model as a SavedModel or as StableHLO."""
