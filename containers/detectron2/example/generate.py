"""Writes the example data set."""
