"""The bar, in a terminal, in a notebook, and in neither."""

from io import StringIO

import IPython.display
import pytest
from rich.console import Console

from agtopt.drivers import progress
from agtopt.drivers.progress import Progress


@pytest.fixture
def shown(monkeypatch):
    """What a bar of four bounds prints on a console that is made with these options."""

    def run(wanted=True, **options):
        file = StringIO()
        monkeypatch.setattr(progress, "Console", lambda: Console(file=file, width=120, **options))
        with Progress(wanted, 4, "LP moons") as bar:
            bar.advance(2.5, many=3)
        return file.getvalue()

    return run


def test_a_terminal_shows_how_far_it_is(shown):
    said = shown(force_terminal=True)
    assert "LP moons" in said
    assert "3/4" in said
    assert "width 2.5" in said


def test_a_file_and_who_does_not_ask_get_nothing(shown):
    assert shown(force_terminal=False, force_jupyter=False) == ""
    assert shown(wanted=False, force_terminal=True) == ""


def test_a_notebook_shows_one_line_that_goes_away(shown, monkeypatch):
    said = []

    class Handle:
        def update(self, data, raw):
            assert raw
            said.append(data)

    def display(data, raw, display_id):
        assert raw
        assert display_id
        said.append(data)
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    shown(force_jupyter=True)
    first, middle, last = said
    assert first == last == {"text/html": "", "text/plain": ""}
    assert '<progress max="4" value="3">' in middle["text/html"]
    assert middle["text/plain"].startswith("LP moons: 3/4 bounds, ")
    assert middle["text/plain"].endswith("width 2.5")
