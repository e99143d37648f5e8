"""Write a trained network in a format that other programs load."""
