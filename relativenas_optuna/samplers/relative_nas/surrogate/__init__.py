"""A Gaussian process over the scores, by which preset "plain" chooses among moves."""
