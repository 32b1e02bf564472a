"""Helpers and tests of the training engine."""
