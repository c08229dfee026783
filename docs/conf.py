"""The documentation site: `sphinx-build -W docs <folder>`."""

import re
from pathlib import Path

import agtopt

ROOT = Path(__file__).parents[1]

project = "agtopt"
author = "The agtopt developers"
copyright = f"2026, {author}"
release = agtopt.__version__
version = release.partition("+")[0]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_nb",
]
default_role = "py:obj"
exclude_patterns = ["**/.ipynb_checkpoints"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the docstrings
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the outputs that are stored, which a test of their own runs

html_theme = "furo"
html_title = "agtopt"


def _home(app, docname, content):
    """The home page is the README, whose links are those of the repository."""
    if docname == "index":
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        readme = readme.replace("(models/README.md)", "(instances.md)")
        readme = re.sub(
            r"\[([^\]]+)\]\(notebooks/(\w+)\.ipynb\)", r"{doc}`\1 <notebooks/\2>`", readme
        )
        content[0] = re.sub(r"\((docs/)([\w./-]+)\)", r"(\2)", readme) + "\n" + content[0]


def _stars(app, what, name, obj, options, lines):
    """Shapes as (k, *inputs) are no emphasis."""
    lines[:] = [re.sub(r"(?<=[(, ])\*(?=\w+[,)])", r"\\*", line) for line in lines]


def setup(app):
    """Register the home page, and stars before docstrings are read as NumPy's."""
    app.connect("source-read", _home)
    app.connect("autodoc-process-docstring", _stars, priority=400)
