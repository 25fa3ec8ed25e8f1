"""Calibrations, labels and embeddings."""
