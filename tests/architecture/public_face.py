"""What mypy knows of `import agtopt`: checked by mypy, as every file of the package."""

from typing import assert_type

import agtopt


def types(problem: agtopt.Problem) -> None:
    """Each would be Any, were the stub not read."""
    assert_type(agtopt.bound(problem, agtopt.IBP), agtopt.Reach)
    assert_type(agtopt.load("models/half-moons"), agtopt.Problem)
    assert_type(agtopt.IBP, agtopt.kinds.Propagation)
    assert_type(agtopt.__version__, str)
