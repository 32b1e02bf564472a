"""Utilities: files, validation, random numbers, devices, command lines."""
