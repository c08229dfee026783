"""No module is in a circle of imports, also where an import is for types only."""

import networkx as nx
from grimp import build_graph


def circles(package):
    """Modules that import each other; imports below ``if TYPE_CHECKING`` count."""
    graph = build_graph(package, cache_dir=None)
    imports = nx.DiGraph(
        (name, other)
        for name in graph.modules
        for other in graph.find_modules_directly_imported_by(name)
    )
    return [sorted(each) for each in nx.strongly_connected_components(imports) if len(each) > 1]


def test_no_circle_of_imports():
    assert circles("agtopt") == []


def test_a_circle_for_types_is_seen(tmp_path, monkeypatch):
    folder = tmp_path / "turning"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "first.py").write_text("import turning.second\n")
    (folder / "second.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from turning.first import x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert circles("turning") == [["turning.first", "turning.second"]]
