"""Evaluation of trained models: likelihoods, latents, samples, figures."""
