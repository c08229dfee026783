"""The meanings of the program: numbers, intervals, and variables of an optimisation model."""
