import errno
import os
from pathlib import Path

import pytest

from agtopt import InvalidInputError, SaveError, SaveWarning
from agtopt.files import attempt, noted, replaced, report, staged, write_text


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "new ε")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new ε"


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_full_disk_leaves_the_old_file_and_says_which_it_was(tmp_path, monkeypatch, call):
    write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(
        SaveError, match=r"a\.txt: could not be written \(No space left on device\)"
    ) as caught:
        write_text(tmp_path / "a.txt", "new")
    assert caught.value.errno == errno.ENOSPC
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_what_fails_while_it_is_written_leaves_nothing(tmp_path):
    def half_of_it(error):
        with replaced(tmp_path / "b.bin") as part:
            part.write_bytes(b"half")
            raise error

    with pytest.raises(SaveError, match=r"b\.bin"):
        half_of_it(OSError(errno.ENOSPC, "full"))
    with pytest.raises(ZeroDivisionError):
        half_of_it(ZeroDivisionError())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_of_several_files_all_are_replaced_or_none(tmp_path, monkeypatch, at, linked):
    def write(words):
        with staged(tmp_path) as stage:
            for name in "abc":
                (stage / name).write_text(words)

    (tmp_path / "a").write_text("old")
    (tmp_path / "b").write_text("old")
    real, calls = os.replace, []

    def failing(*paths):
        calls.append(paths)
        if len(calls) == at:
            full()
        real(*paths)

    monkeypatch.setattr(os, "replace", failing)
    if not linked:
        monkeypatch.setattr(os, "link", full)
    with pytest.raises(SaveError):
        write("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}
    monkeypatch.setattr(os, "replace", real)
    write("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        "abc", "new"
    )


def test_errors_of_our_own_pass(tmp_path):
    with pytest.raises(InvalidInputError), replaced(tmp_path / "a"):
        raise InvalidInputError("no")


def test_a_folder_that_is_not_there_is_a_save_error(tmp_path):
    with pytest.raises(SaveError, match="No such file"):
        write_text(tmp_path / "no" / "a.txt", "")
    (tmp_path / "f").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        write_text(tmp_path / "f" / "a.txt", "")


def test_a_save_beside_a_result_is_a_warning_or_is_noted(tmp_path):
    def fails():
        write_text(tmp_path / "no" / "a.txt", "")

    with pytest.warns(SaveWarning, match=r"a\.txt"):
        assert not attempt(fails)
    with noted() as failures:
        assert not attempt(fails)
        assert attempt(lambda: write_text(tmp_path / "a.txt", ""))
    assert len(failures) == 1
    with pytest.warns(SaveWarning, match=r"a\.txt"):
        report(failures)
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0)
    assert Path(tmp_path / "a.txt").exists()
