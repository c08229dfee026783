"""Problems and networks from files and other frameworks."""

from agtopt.readers.columns import Columns
from agtopt.readers.folder import load, read_arrays, save
from agtopt.readers.table import read_table

__all__ = ["Columns", "load", "read_arrays", "read_table", "save"]
