"""Intervals of large batches and networks: blocks, products of matrices, compiled loops, fragments
under a memory limit."""
