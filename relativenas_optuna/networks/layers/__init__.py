"""Layers of cells and networks."""
