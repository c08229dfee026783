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


@pytest.fixture
def elsewhere(tmp_path):
    """A link in `here` to a file in another folder."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "there" / "real").write_text("old")
    (tmp_path / "here" / "a").symlink_to("../there/real")
    return tmp_path


def test_a_link_stays_and_what_it_points_to_is_replaced(elsewhere):
    link = elsewhere / "here" / "a"
    write_text(link, "new")
    assert os.readlink(link) == "../there/real"
    assert (elsewhere / "there" / "real").read_text() == "new"
    link.unlink()
    link.symlink_to(elsewhere / "there" / "not yet")
    write_text(link, "first")
    assert (elsewhere / "there" / "not yet").read_text() == "first"
    assert sorted(path.name for path in elsewhere.rglob("*")) == [
        "a", "here", "not yet", "real", "there"
    ]  # fmt: skip


@pytest.mark.parametrize("at", [1, 2, None])
def test_links_among_several_files_are_followed_or_all_is_as_it_was(elsewhere, monkeypatch, at):
    here, real, calls = elsewhere / "here", os.replace, []

    def failing(*paths):
        calls.append(paths)
        if len(calls) == at:
            full()
        # As between two disks: only what lies beside its target can take its place.
        assert all(Path(paths[0]).parent.parent == Path(paths[1]).parent for _ in paths)
        real(*paths)

    monkeypatch.setattr(os, "replace", failing)

    def write():
        with staged(here) as stage:
            for name in "ab":
                (stage / name).write_text("new")

    if at is None:
        write()
    else:
        with pytest.raises(SaveError):
            write()
    assert (here / "a").is_symlink()
    assert (elsewhere / "there" / "real").read_text() == ("new" if at is None else "old")
    assert sorted(path.name for path in elsewhere.rglob("*")) == [
        "a", *["b"] * (at is None), "here", "real", "there"
    ]  # fmt: skip


def test_what_is_no_file_is_refused_and_stays(elsewhere):
    here = elsewhere / "here"
    os.mkfifo(here / "pipe")
    (here / "to the pipe").symlink_to("pipe")
    (here / "loop").symlink_to("loop")
    (here / "folder").mkdir()
    before = {path: path.lstat() for path in here.iterdir()}
    for name in ("pipe", "to the pipe", "loop", "folder"):
        with pytest.raises(SaveError, match=f"{name}: what stands there is no file.*give the name"):
            write_text(here / name, "new")
        with pytest.raises(SaveError, match="what stands there is no file"), staged(here) as stage:
            (stage / name).write_text("new")
    after = {path: path.lstat() for path in here.iterdir()}
    assert {path: (found.st_ino, found.st_mode) for path, found in after.items()} == {
        path: (found.st_ino, found.st_mode) for path, found in before.items()
    }


def test_nothing_is_computed_for_a_file_that_cannot_be_written(elsewhere):
    os.mkfifo(elsewhere / "pipe")
    with pytest.raises(SaveError), replaced(elsewhere / "pipe"):
        pytest.fail("it is refused at the start")


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
