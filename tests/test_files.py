"""Files written in one step: whole or not there, never over an input, by one run at a time, nothing left."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from vidlstm import files
from vidlstm.errors import OutputError
from vidlstm.files import (
    OWNER,
    SCRATCH,
    atomic,
    check_inputs,
    clear_leftovers,
    files_named,
    held,
    scratch,
    write_csv,
    write_json,
    write_text,
    write_whole,
)


def hold_and_write(folder: Path, ready: Connection) -> None:
    """Holds a table, and waits in the middle of writing a file."""
    with held(folder / "t.parquet"), atomic(folder / "a.csv") as temporary:
        temporary.write_text("half")
        ready.send(None)
        signal.pause()


@contextlib.contextmanager
def another(folder: Path) -> Iterator[Any]:
    """A living process that holds and writes."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=hold_and_write, args=(folder, there))
    process.start()
    here.recv()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@pytest.mark.skipif(not hasattr(signal, "pause"), reason="signals")
def test_what_a_process_holds_and_has_begun_is_its_own_until_it_is_dead(tmp_path: Path) -> None:
    with another(tmp_path) as process:
        clear_leftovers(tmp_path)
        (begun,) = tmp_path.glob(f"{SCRATCH}*/a.csv")
        assert begun.read_text() == "half", "it lives"
        with (
            pytest.raises(OutputError, match=r"t\.parquet: another run is writing it.*another `out`"),
            held(tmp_path / "x" / ".." / "t.parquet"),
        ):
            pass
        with held(tmp_path / "u.parquet"), atomic(tmp_path / "a.csv") as temporary:
            temporary.write_text("whole")
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    clear_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "whole"
    with held(tmp_path / "t.parquet"):
        pass


def test_only_our_own_leftovers_are_cleared(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder in (elsewhere, tmp_path / f"{SCRATCH}dead"):
        folder.mkdir(exist_ok=True)
        (folder / OWNER).touch()
        (folder / "x").touch()
    (tmp_path / f"{SCRATCH}link").symlink_to(elsewhere)
    (tmp_path / f"{SCRATCH}file").touch()
    (tmp_path / f"{SCRATCH}not-ours").mkdir()
    (tmp_path / f"{SCRATCH}not-ours" / "x").touch()
    clear_leftovers(tmp_path)
    clear_leftovers(tmp_path / "not there")
    assert {p.name for p in tmp_path.iterdir()} == {
        "elsewhere",
        *(f"{SCRATCH}{name}" for name in ("link", "file", "not-ours")),
    }
    assert (elsewhere / "x").exists()


def test_a_folder_that_is_cleared_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_at, cleared = files._lock_at, []

    def clear_the_first(path: Path) -> Any:
        if not cleared:
            cleared.append(path.parent)
            lock = lock_at(path)
            path.parent.rmdir()
            monkeypatch.setattr(type(lock), "acquire", gone)
            return lock
        monkeypatch.undo()
        return lock_at(path)

    def gone(lock: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(files, "_lock_at", clear_the_first)
    with scratch(tmp_path) as folder:
        assert folder.is_dir() and folder not in cleared
    assert not list(tmp_path.iterdir())


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full(*args: Any, **options: Any) -> None:
    raise FULL


WRITERS: dict[str, Any] = {
    "text": lambda path: write_text("x", path),
    "json": lambda path: write_json({"a": 1}, path),
    "csv": lambda path: write_csv(("a",), [(1,)], path),
    "table": lambda path: write_whole(polars.DataFrame({"a": [1]}).write_csv, path),
    "parquet": lambda path: write_whole(polars.DataFrame({"a": [1]}).write_parquet, path),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("kind", WRITERS)
def test_on_a_full_disk_there_is_one_sentence_and_the_old_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little is written, and whatever the library says of it."""
    (tmp_path / "a").write_text("old")

    @contextlib.contextmanager
    def on_full_disk(folder: Path) -> Iterator[Path]:
        (tmp_path / "s").mkdir()
        (tmp_path / "s" / "a").symlink_to("/dev/full")
        yield tmp_path / "s"

    monkeypatch.setattr("vidlstm.files.scratch", on_full_disk)
    with pytest.raises(OutputError, match=r"a: cannot be written: No space left on device"):
        WRITERS[kind](tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"


def test_a_name_as_long_as_can_be_is_written(tmp_path: Path) -> None:
    write_text("x", tmp_path / ("a" * 255))
    with pytest.raises(OutputError, match="name too long"):
        write_text("x", tmp_path / ("a" * 256))
    assert len(list(tmp_path.iterdir())) == 1


def test_only_files_that_are_there_can_be_inputs(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    check_inputs([mine, Path("nul\x00")], [mine, "nul\x00", "rtsp://camera", tmp_path])
    mine.write_text("")
    (tmp_path / "link").symlink_to(mine)
    for name in (mine, str(mine), tmp_path / "link"):
        with pytest.raises(OutputError, match=r"mine\.json: is an input"):
            check_inputs([mine], [name])


def test_nothing_is_put_among_the_images_of_an_input(tmp_path: Path) -> None:
    frames = tmp_path / "walk"
    frames.mkdir()
    (frames / "000.png").touch()
    for out in (frames / "walk.png", frames / "deeper" / "walk.png"):
        with pytest.raises(OutputError, match="among the images of an input"):
            check_inputs([out], [frames])
    check_inputs([tmp_path / "walk.png", tmp_path / "walk2" / "x.png"], [frames])


def test_every_file_that_settings_name_is_found(tmp_path: Path) -> None:
    @dataclass
    class Settings:
        weights: str | None
        boxes: list[Path]
        more: Any

    a, b, c = (tmp_path / name for name in "abc")
    for path in (a, b, c):
        path.touch()
    settings = Settings(str(a), [b, tmp_path / "gone", tmp_path], {"deep": ({"er": c}, None, 3, np.zeros(2))})
    assert files_named({"x": settings}, "auto", "\0", "a" * 5000, None) == [a, b, c]


def test_a_folder_of_a_run_that_died_before_it_was_locked_is_cleared(tmp_path: Path) -> None:
    """An empty one; what holds anything without a lock is not ours."""
    empty, full = tmp_path / f"{SCRATCH}abcd", tmp_path / f"{SCRATCH}efgh"
    empty.mkdir()
    full.mkdir()
    (full / "kept").touch()
    clear_leftovers(tmp_path)
    assert not empty.exists() and (full / "kept").exists()
