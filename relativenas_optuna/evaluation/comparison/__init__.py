"""Train the architecture that a search found and others alike, and compare their accuracies."""
