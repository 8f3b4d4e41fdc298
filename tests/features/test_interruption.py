"""Killed at any moment, an extraction leaves nothing wrong behind, and the next one finishes the work."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.features import tiny

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return tiny.make_clips(tmp_path_factory.mktemp("clips"), 40)


@pytest.fixture(scope="module")
def undisturbed(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("undisturbed")
    assert tiny.extract(clips, root).extracted == len(clips)
    return tiny.files_of(root)


def test_ten_kills_change_nothing(clips: list[Path], undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    """Of the whole group and of the parent alone, in turns."""
    killed, counts = 0, []
    for seed in range(10):
        process = tiny.start(tiny.extract_until_killed, clips, tmp_path, seed, seed % 2 == 1)
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        files = tiny.files_of(tmp_path)
        counts.append(len(files))
        assert files.items() <= undisturbed.items(), "a file in place is a whole file"
    assert killed >= 5, "most of the runs were to be cut short"
    assert counts == sorted(counts), "what is done stays done"
    report = tiny.extract(clips, tmp_path)
    assert report.found == counts[-1]
    assert report.extracted == len(clips) - counts[-1]
    assert tiny.files_of(tmp_path) == undisturbed
    assert not list(tmp_path.rglob(".*")), "nothing of the dead is left"


def test_workers_end_when_their_parent_is_killed(clips: list[Path], tmp_path: Path) -> None:
    process = tiny.start(tiny.extract_until_killed, clips, tmp_path, 3, False)
    family: set[psutil.Process] = set()
    while process.is_alive():
        try:
            family |= set(psutil.Process(process.pid).children())
        except psutil.NoSuchProcess:
            break
    process.join()
    assert len(family) == 2
    _, alive = psutil.wait_procs(list(family), timeout=600)
    assert not alive


def test_two_processes_share_a_store(
    clips: list[Path], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    processes = [tiny.start(tiny.extract_shuffled, clips, tmp_path, seed) for seed in (1, 2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert tiny.files_of(tmp_path) == undisturbed
    assert tiny.leftovers_of(tmp_path) == []


def test_a_full_disk_is_told_and_nothing_half_written_stays(tmp_path: Path) -> None:
    clips = tiny.make_clips(tmp_path / "clips", 3, frames=(30, 40))
    answer, store = tmp_path / "answer", tmp_path / "store"
    process = tiny.start(tiny.extract_with_little_room, clips, store, answer)
    process.join()
    assert "cannot be written: File too large" in answer.read_text()
    assert "another `store`" in answer.read_text()
    assert tiny.leftovers_of(store) == []
    assert tiny.files_of(store) == {}
