"""``python -m agtopt.cli``."""

from agtopt.cli import main

main()
