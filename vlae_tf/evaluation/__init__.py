"""What is done with a model: scores, samples, codes, pictures."""
