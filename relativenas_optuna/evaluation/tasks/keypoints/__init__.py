"""Keypoints of persons."""
