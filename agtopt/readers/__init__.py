"""Problems and networks from files and other frameworks."""

from agtopt.readers.columns import Columns
from agtopt.readers.folder import load, read_arrays, save

__all__ = ["Columns", "load", "read_arrays", "save"]
