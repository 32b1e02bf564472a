"""Exports, and what is asked of them."""
