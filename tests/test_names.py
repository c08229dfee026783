import re
import unicodedata

import matplotlib.pyplot as plt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agtopt import InvalidInputError
from agtopt.names import (
    MOST,
    caption,
    checked,
    file_name,
    markdown,
    member,
    title,
    unmember,
    visible,
)

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NASTY = st.text("aA_.[]0,|$~\\/*`<&:é\u0301\n\0 -⟨%", max_size=6)
NAMES = ANY | NASTY
FINE = ["dense1_weight[0,3]", "direction[12]", "conv1_bias[0]", "half-moons", "x+y", "query_3"]


@pytest.mark.parametrize("name", FINE)
def test_a_name_that_is_fine_stays_as_it_is(name):
    assert all(make(name) == name for make in (file_name, member, visible, markdown, caption))


@given(NAMES)
def test_a_file_may_be_called_so(name):
    found = file_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_+,.\[\]~-]+", found)
    assert not found.startswith((".", "~~"))
    assert len(found) < 160
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", title(name))


@given(NAMES, NAMES)
@example("A", "a")
@example("é", "e\u0301")
@example("a/b", "a_b")
@example("x" * 300, "x" * 301)
def test_different_names_have_different_files_also_where_case_and_form_are_one(first, second):
    if first != second:
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            one, other = (
                unicodedata.normalize(form, file_name(name)).casefold() for name in (first, second)
            )
            assert one != other
        assert visible(first) != visible(second)
        assert member(first) != member(second)


@given(NAMES)
def test_a_member_of_an_archive_is_read_back(name):
    assert unmember(member(name)) == name
    assert not set(member(name)) & set("/\\\0\n:")


@given(NAMES)
def test_what_is_visible_is_one_printable_line(name):
    assert visible(name).isprintable()


@given(NAMES.filter(lambda name: visible(name) == visible(name).strip()))
def test_a_cell_of_markdown_reads_as_the_name(name):
    cell = markdown(name)
    text = f"| a | b |\n|---|---|\n| x{cell}x | y |\n"
    shown = re.findall(
        "<td>(.*?)</td>", MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    )
    plain = (
        f"x{visible(name)}x".replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
    )
    assert shown == [plain, "y"]


@settings(deadline=None, max_examples=40)
@given(NAMES)
def test_a_picture_shows_the_name_and_no_formula(name):
    figure, axes = plt.subplots()
    try:
        axes.plot([0], [0], label=caption(name))
        handles, labels = axes.get_legend_handles_labels()
        assert len(handles) == (1 if name else 0)
        text = axes.text(0, 0, labels[0] if labels else "")
        shown, formula = text._preprocess_math(text.get_text())
        assert not formula
        assert shown.lstrip("\N{HAIR SPACE}") == visible(name).lstrip("\N{HAIR SPACE}")
    finally:
        plt.close(figure)


@pytest.mark.parametrize("name", [5, None, 1.0, b"a", ("a",), "\ud800", "x" * (MOST + 1)])
def test_what_no_file_can_keep_is_refused(name):
    with pytest.raises(InvalidInputError, match=r"field: .* not allowed"):
        checked("field", name)
