"""agtopt: how far can anyone who tampers with the training data push the trained model?"""

import sys
from importlib import import_module
from typing import Any

import lazy_loader

# torch, Pyomo and pandas take seconds to import: every name of the stub waits until it is needed.
_resolved, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)

# `from agtopt import *` brings no rooms: it would replace a user's own `problem`.
__all__ = sorted(set(_names) - {"domains", "errors", "kinds", "problem"})


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("agtopt")
    return _resolved(name)


def _show_in_notebook() -> None:
    # Only where a shell runs already, as in every notebook: a script imports no IPython for this.
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        import_module("agtopt.notebook").load_ipython_extension(shell)


_show_in_notebook()
