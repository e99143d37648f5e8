"""A model of the scores, with which preset "plain" chooses among moves."""
