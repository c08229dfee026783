"""Problems and networks from files and other frameworks."""

from agtopt.readers.folder import load, save

__all__ = ["load", "save"]
