"""CSV files: what is taken as it is, and what is refused with its line and the way out."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtopt import AgtoptError, Columns, InvalidInputError, MissingFileError
from agtopt.readers import read_table
from agtopt.spreadsheet import write_csv


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def reading(text, *options):
        (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(tmp_path / "t.csv", *options)

    return reading


def test_every_cell_stays_its_text(read):
    frame = read('a,b\nNA,01\nnull,1.10\n"x,\ny",2020-01-01\nTrue, nan\n')
    assert frame["a"].tolist() == ["NA", "null", "x,\ny", "True"]
    assert frame["b"].tolist() == ["01", "1.10", "2020-01-01", " nan"]
    assert frame.index.tolist() == [2, 3, 4, 6]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_ends_of_lines_and_empty_lines_at_the_end(read, ends):
    assert read(ends.join(["a,b", "1,2", "3,4", "", ""])).to_numpy().tolist() == [
        ["1", "2"],
        ["3", "4"],
    ]


@pytest.mark.parametrize(
    ("row", "fields"),
    [("0,1,2,ham", 4), ("0,1", 2), ("0,1,ham,", 4), ("0", 1), ("", 0)],
    ids=["more", "fewer", "trailing", "one", "none"],
)
def test_a_row_with_other_fields_is_named(read, row, fields):
    """pandas takes the first of surplus fields for an index, and fills up rows that are short."""
    for rows in ([row] * 3, ["1,2,spam", row, "1,2,ham"]):
        with pytest.raises(
            InvalidInputError,
            match=(
                rf"line {2 + rows.index(row)}: the row has {fields} field.* 3 names \(x, z, "
                r"label\)"
            ),
        ):
            read("\n".join(["x,z,label", *rows, "1,2,ham"]))


BAD = [
    ("", "it is empty; its first line must hold the names"),
    ("\n", "it is empty"),
    ("\n1,2\n", "first line is empty"),
    ("a,b\n", "has names, but no rows"),
    ("x,label,label\n1,a,a\n", r"two columns are named 'label' \(2 and 3\)"),
    (",,a\n1,2,3\n", r"two columns have no name \(1 and 2\)"),
    ("a, b\n1, 2\n", r"the name ' b' begins or ends with a blank.*', ' \(--separator\)"),
    ("a,b\t\n1,2\n", r"'b\\t' begins or ends with a blank"),
    ("a;b\n1;2\n", r"one column only, 'a;b'.*--separator ';', with --decimal ','"),
    ("a\tb\n1\t2\n", r"--separator '\\t'"),
    ("a,b\n1,\0\n", r"line 2: it holds a NUL byte.*utf-16"),
    ('a,b\n1,"2\n3,4\n', "line 2: it cannot be read as CSV: unexpected end"),
    ('a,b\n1,2\n"1"2,3\n', "line 3: it cannot be read as CSV"),
    ("a,b\n1," + "x" * 140_000, "line 2: it cannot be read as CSV: field larger"),
    ("a,b\nGröße,1\n".encode("latin-1"), "not in utf-8.*--encoding latin-1"),
    ("a,b\n1,2\n".encode("utf-16"), "not in utf-8.*utf-16"),
    ("a,b\n1,2\n".encode("utf-16-le"), "NUL byte.*utf-16"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message for _, message in BAD])
def test_what_is_wrong_is_said_with_the_way_out(read, text, message):
    with pytest.raises(InvalidInputError, match=message):
        read(text)


def test_files_and_options_that_do_not_exist(read, tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(MissingFileError, match="does not exist, or is no file"):
            read_table(path)
    for encoding in ("klingon", "base64"):
        with pytest.raises(InvalidInputError, match=f"'{encoding}' is unknown"):
            read("a\n1\n", ",", ".", encoding)
    for separator in ("", "ab", "a", '"', "\n", ";;", " ", "."):
        with pytest.raises(InvalidInputError, match=r"separator: .* is not allowed"):
            read("a\n1\n", separator)
    with pytest.raises(InvalidInputError, match="other than the decimal sign"):
        read("a\n1\n", ",", ",")
    with pytest.raises(InvalidInputError, match="decimal: ';' is not allowed"):
        read("a\n1\n", ",", ";")


@pytest.mark.parametrize(
    ("named", "encoding"), [("utf-8", "utf-8-sig"), ("utf-16", "utf-16"), ("latin-1", "latin-1")]
)
def test_encodings_and_a_byte_order_mark(tmp_path, named, encoding):
    (tmp_path / "t.csv").write_text('"x",label\n1,Größe\n', encoding=encoding)
    assert read_table(tmp_path / "t.csv", encoding=named).to_dict("list") == {
        "x": ["1"],
        "label": ["Größe"],
    }


def test_separators_and_decimal_signs(read):
    frame = read("x;z;label\n0,14;1;a\n-2,5e-1; 3;b,c\n", ";", ",")
    assert frame.to_dict("list") == {
        "x": ["0.14", "-2.5e-1"],
        "z": ["1", " 3"],
        "label": ["a", "b,c"],
    }
    with pytest.raises(
        InvalidInputError,
        match=r"line 3: column 'x' holds '1.500', which has a point; the decimal sign is ','",
    ):
        read("x;label\n0,14;a\n1.500;b\n", ";", ",")
    assert read("x\ty\n1\t2\n", r"\t").to_dict("list") == {"x": ["1"], "y": ["2"]}
    assert read('x, y\n1, "a, b"\n', ", ").to_dict("list") == {"x": ["1"], "y": ["a, b"]}


def test_pandas_files_read_back(tmp_path):
    frame = pd.DataFrame(
        {"x": [0.1, -2e-7], "t": [True, False], "n": [1, 2**60], "label": ["NA", "None"]}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert Columns.of(read_table(tmp_path / "t.csv"), "label") == Columns.of(frame, "label")
    assert Columns.of(frame, "label").classes == ("NA", "None")


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), min_size=1, max_size=6
).filter(lambda name: name == name.strip() and not name.startswith("Unnamed"))
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
LIKE_NUMBERS = st.sampled_from(
    [
        "1",
        "01",
        "1.0",
        "1e0",
        "-0.0",
        "NA",
        "nan",
        "null",
        "",
        " ",
        "True",
        "=1",
        "'=1",
        "-x",
        "2020-01-01",
    ]
)
SERIES = [
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4),
    st.lists(st.integers(-(2**62), 2**62), min_size=4, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
]


def outcome(frame, label, loss):
    """The columns, or how they are refused, but for the row, which a file counts by lines."""
    try:
        return Columns.of(frame, label, loss=loss), Columns.of(frame, label, loss=loss).points(
            frame
        )[0].tolist()
    except AgtoptError as error:
        return type(error)


@given(
    st.lists(NAMES, min_size=3, max_size=3, unique=True),
    st.lists(st.one_of(SERIES), min_size=2, max_size=2),
    st.one_of(*SERIES, st.lists(WORDS | LIKE_NUMBERS, min_size=4, max_size=4)),
    st.sampled_from([None, "cross-entropy", "squared"]),
)
def test_a_frame_written_and_read_back_gives_the_same_columns(
    tmp_path_factory, names, features, label, loss
):
    frame = pd.DataFrame(dict(zip(names, [*features, label], strict=True)))
    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_csv(path, frame.columns, frame.astype(object).to_numpy().tolist())
    again = read_table(path)
    assert list(again.columns) == names
    assert outcome(again, names[2], loss) == outcome(frame, names[2], loss)


@given(st.binary(max_size=40) | st.text(",;\"'\n\r\t =1ax\0", max_size=40).map(str.encode))
def test_whatever_the_bytes_it_is_a_table_or_an_error_of_ours(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    path.write_bytes(content)
    for options in (
        {},
        {"separator": ";", "decimal": ","},
        {"encoding": "utf-16"},
        {"encoding": "latin-1", "separator": "; "},
    ):
        try:
            frame = read_table(path, **options)
            Columns.of(frame, frame.columns[-1])
        except AgtoptError:
            pass
