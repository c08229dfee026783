import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtopt import InvalidInputError
from agtopt.files import archive as module
from agtopt.files import opened, write_arrays

ARRAYS = {
    "lower": np.arange(6.0).reshape(2, 3),
    "odd |/%\n näme": np.array(1),
    "about": np.array("words"),
    "empty": np.zeros((0, 3)),
}


def raw(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def npy(shape, dtype="<f8", data=b"", order=False):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": order, "shape": shape}
    )
    return header.getvalue() + data


def refused(path, words, name="a", *shapes, **options):
    with (
        pytest.raises(InvalidInputError, match=f"^file: .*{words}"),
        opened(path, "file") as archive,
    ):
        archive.array(name, *shapes, **options)


@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_written_is_read(tmp_path, compressed):
    write_arrays(tmp_path / "a.npz", ARRAYS, compressed)
    with opened(tmp_path / "a.npz", "file") as archive:
        archive.only(ARRAYS)
        assert archive.text("about") == "words"
        for name in set(ARRAYS) - {"about"}:
            assert np.array_equal(archive.array(name), ARRAYS[name])
            assert archive.array(name).dtype == ARRAYS[name].dtype
        assert np.array_equal(archive.array("lower", (3, 2), (None, 3)), ARRAYS["lower"])


def test_columns_first_is_read_too(tmp_path):
    write_arrays(tmp_path / "a.npz", {"a": np.asfortranarray(ARRAYS["lower"])})
    with opened(tmp_path / "a.npz", "file") as archive:
        assert np.array_equal(archive.array("a"), ARRAYS["lower"])


def test_shapes_kinds_and_names_that_were_not_expected_are_refused(tmp_path):
    write_arrays(tmp_path / "a.npz", ARRAYS)
    refused(tmp_path / "a.npz", "shape", "lower", (2, 2), (None,))
    refused(tmp_path / "a.npz", "<U5", "about")
    refused(tmp_path / "a.npz", "no array 'b'", "b")
    for needed, allowed, words in (
        (["b"], ARRAYS, "no array 'b'"),
        (["lower"], ["about"], "'empty', which has no meaning"),
    ):
        with (
            pytest.raises(InvalidInputError, match=words),
            opened(tmp_path / "a.npz", "file") as archive,
        ):
            archive.only(needed, allowed)


def test_nothing_is_allocated_for_an_absurd_shape(tmp_path, monkeypatch):
    monkeypatch.setattr(np.lib.format, "read_array", None)
    for shape in ((10**12, 10**12), (2**62, 4), (10**18,), (-1,), (0, 2**70, 2)):
        raw(tmp_path / "a.npz", [("a.npy", npy(shape, data=bytes(8)))])
        refused(tmp_path / "a.npz", "shape")
    # A bomb: megabytes of zeros, some kilobytes as a file.
    raw(tmp_path / "a.npz", [("a.npy", npy((2**19,)) + bytes(2**22))])
    blown = (tmp_path / "a.npz").read_bytes()
    monkeypatch.setattr(module, "ROOM", 2**20)
    assert len(blown) < 2**14
    refused(tmp_path / "a.npz", "unpack to more than 100 times")


def test_surplus_members_are_not_unpacked(tmp_path, monkeypatch):
    raw(tmp_path / "a.npz", [("a.npy", npy((1,), data=bytes(8))), ("b.npy", b"no array at all")])
    with opened(tmp_path / "a.npz", "file") as archive:
        assert archive.array("a") == 0.0
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with (
        pytest.raises(InvalidInputError, match="'b', which has no meaning"),
        opened(tmp_path / "a.npz", "file") as archive,
    ):
        archive.only(["a"])


@pytest.mark.parametrize("dtype", ["|O", "<U0", "|V8", "<c16", "<M8[ns]", [("x", "|O")]])
def test_other_types_are_refused(tmp_path, dtype):
    raw(tmp_path / "a.npz", [("a.npy", npy((1,), dtype, bytes(8)))])
    refused(tmp_path / "a.npz", "not allowed")


def test_broken_and_hostile_archives_are_refused(tmp_path):
    good = npy((1,), data=bytes(8))
    deep = b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000
    for members, words in (
        ([("a.npy", good), ("%61.npy", good)], "two arrays of one name"),
        ([("a.npy", good), ("a", good)], "two arrays of one name"),
        ([("a.npy", deep)], ""),
        ([("a.npy", b"")], ""),
        ([("a.npy", good[:-1])], "shape"),
        ([("a.npy", good + b"x")], "shape"),
        ([("%ff.npy", good)], "utf-8"),
        ([("a.npy", b"\x93NUMPY\x03\x00" + good[8:])], "version"),
    ):
        refused(raw(tmp_path / "a.npz", members), words)
    refused(
        raw(tmp_path / "a.npz", [("a.npy", good)], zipfile.ZIP_LZMA), "compressed in another way"
    )
    raw(tmp_path / "a.npz", [("a.npy", good)], zipfile.ZIP_STORED)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.npz").write_bytes(data)
    refused(tmp_path / "a.npz", "encrypted")
    refused(tmp_path, "no file")
    refused(tmp_path / "nowhere", "no file")


def test_what_is_too_dense_to_be_read_is_saved_without_compression(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROOM", 2**10)
    write_arrays(tmp_path / "a.npz", {"a": np.zeros(2**16)}, compressed=True)
    with opened(tmp_path / "a.npz", "file") as archive:
        assert not archive.array("a").any()


@settings(deadline=None)
@given(st.data())
def test_bytes_of_any_kind_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "a.npz"
    write_arrays(path, ARRAYS, data.draw(st.booleans()))
    content = bytearray(path.read_bytes())
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=3)
    ):
        content[at] = value
    path.write_bytes(bytes(content)[: data.draw(st.none() | st.integers(0, len(content)))])
    try:
        with opened(path, "file") as archive:
            for name in archive.names:
                archive.array(name, kinds="biufU")
    except InvalidInputError:
        pass
