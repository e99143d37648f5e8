"""Measure the accuracy, cost and latency of a trained network."""
