"""Read and write networks and their weights, also those of other programs."""
