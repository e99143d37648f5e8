"""Train the result of a search and other architectures alike, and compare their accuracies."""
