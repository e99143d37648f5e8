"""Train one architecture from initial weights: recipes, the training, its state and log."""
