"""Measure how well shared scores rank architectures."""
