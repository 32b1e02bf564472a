"""What one sees of the training."""
