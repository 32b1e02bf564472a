"""A model as a lossless code of images."""
