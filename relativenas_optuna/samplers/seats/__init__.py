"""Seats of generations, given out to any number of workers."""
