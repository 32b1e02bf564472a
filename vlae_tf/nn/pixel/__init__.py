"""The PixelCNN family."""
