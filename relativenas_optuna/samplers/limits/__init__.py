"""Limits of costs: only architectures that keep them are proposed."""
