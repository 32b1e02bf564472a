"""File formats: `.vlae` files of compressed images, folders of models."""
