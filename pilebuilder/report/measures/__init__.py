"""Measures of a full pass over the documents: each adds to integer counters, so partitions merge in any order."""
