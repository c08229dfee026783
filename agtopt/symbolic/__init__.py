"""The meaning of the program's operations in Pyomo, and the number of variables and rows that they
take."""
