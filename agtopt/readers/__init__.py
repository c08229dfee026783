"""Problems and networks from files and other frameworks."""

from agtopt.readers.folder import load, read_arrays, save

__all__ = ["load", "read_arrays", "save"]
