"""Tests of the room `reproduction`, and records for them."""
