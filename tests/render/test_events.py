"""The file of events: whole lines, one writer, and what happens where nothing more can be written."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from vidlstm.errors import OutputError
from vidlstm.render.events import EventFile

EVENT = {"event": "opened", "source": "a", "detail": "\u2028"}


def test_a_file_has_one_writer_and_is_free_again_after_it(tmp_path: Path) -> None:
    first = EventFile(tmp_path / "events.jsonl")
    with pytest.raises(OutputError, match=r"another run is writing it; .* choose another `events`"):
        EventFile(tmp_path / "events.jsonl")
    first.close()
    EventFile(tmp_path / "events.jsonl").close()
    assert [path.name for path in tmp_path.iterdir()] == ["events.jsonl"]


def test_a_line_that_was_cut_off_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "sta')
    file = EventFile(path)
    file(EVENT)
    file.close()
    assert [line for line in path.read_text().split("\n") if line] == [
        '{"event": "sta',
        json.dumps(EVENT, ensure_ascii=False),
    ]


def test_a_pipe_is_written_to_and_never_renamed() -> None:
    read, write = os.pipe()
    file = EventFile(Path(f"/dev/fd/{write}"), most_bytes=1)
    file(EVENT)
    file(EVENT)
    file.close()
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as lines:
        assert [json.loads(line) for line in lines] == [EVENT, EVENT]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_disk_is_said_and_said_again_at_the_end() -> None:
    file = EventFile(Path("/dev/full"))
    with pytest.raises(OutputError, match="No space left"):
        file(EVENT)
    with pytest.raises(OutputError, match="No space left"):
        file.close()


def test_a_file_that_cannot_be_renamed_is_said(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl.1").touch()
    (tmp_path / "events.jsonl.2").mkdir()
    file = EventFile(tmp_path / "events.jsonl", most_bytes=1)
    for _ in range(2):  # the last words of a watch that ends with it, too
        with pytest.raises(OutputError, match=r"events\.jsonl: Is a directory"):
            file(EVENT)
    file.close()


def test_a_link_stays_one_when_a_new_file_begins(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "events.jsonl")
    file = EventFile(tmp_path / "link", most_bytes=1)
    file(EVENT)
    file.close()
    assert (tmp_path / "link").is_symlink() and (tmp_path / "events.jsonl.1").is_file()


def test_that_nobody_reads_is_no_error_of_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1, closefd=False) as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with pytest.raises(BrokenPipeError):
            EventFile(None)(EVENT)
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)
    os.close(write)
