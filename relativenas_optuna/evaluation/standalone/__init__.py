"""One architecture trained alone: recipes, the run, its state and logs."""
