"""Tests of pages: what they say, and how they are in a browser."""
