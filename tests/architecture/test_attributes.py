"""Where objects are made, every attribute has a line of its own, which a search finds."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "agtopt"
MAKERS = ("__init__", "__post_init__", "__setstate__")


def crowded(code):
    """Lines that assign several attributes; what unpacks one value, as a shape, has no choice."""
    for maker in ast.walk(ast.parse(code)):
        if isinstance(maker, ast.FunctionDef) and maker.name in MAKERS:
            for node in ast.walk(maker):
                if isinstance(node, ast.Assign) and attributes(node) > 1:
                    yield node.lineno


def attributes(node):
    """How many an assignment makes, of a chain or of a tuple that is written out."""
    targets = list(node.targets)
    if isinstance(node.value, ast.Tuple):
        targets = [each for target in targets for each in getattr(target, "elts", [target])]
    return sum(isinstance(target, ast.Attribute) for target in targets)


def test_no_line_makes_several_attributes():
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in crowded(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_what_counts_as_several():
    def made(line):
        return list(crowded(f"class A:\n def __init__(self, m):\n  {line}"))

    assert made("self.rows, self.columns = m, 2") == [3]
    assert made("self.rows = self.columns = 2") == [3]
    assert made("self.low, self.high, self.point = (*m, True)") == [3]
    assert made("self.rows, self.columns = m.shape") == []
    assert made("self.low, self.high = (end + 1 for end in m)") == []
    assert made("self.rows, name = m, 2") == []
