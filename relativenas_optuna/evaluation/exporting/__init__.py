"""Write a trained network in a form that other programs load."""
