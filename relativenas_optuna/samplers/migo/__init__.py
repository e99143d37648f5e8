"""MIGOSampler: a natural gradient on categorical distributions, with fair sampling."""
