"""Files: written whole or not at all, and read with limits, whatever is in them."""

from agtopt.files.archive import Archive, opened, put_arrays, write_arrays
from agtopt.files.reading import UNREADABLE, read_text, refusing
from agtopt.files.reports import attempt, noted, report
from agtopt.files.writing import replaced, saving, staged, write_text

__all__ = [
    "UNREADABLE",
    "Archive",
    "attempt",
    "noted",
    "opened",
    "put_arrays",
    "read_text",
    "refusing",
    "replaced",
    "report",
    "saving",
    "staged",
    "write_arrays",
    "write_text",
]
