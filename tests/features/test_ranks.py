"""Several processes share an extraction: one store, one report, and nobody waits for the dead."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import pytest
import torch

from tests.features import tiny
from vidlstm.backbones.cpu import available_cores, sharing_cores
from vidlstm.cli import progress
from vidlstm.cli.main import main
from vidlstm.errors import RankError, SettingsError
from vidlstm.features import launch
from vidlstm.features.extract import ExtractionReport
from vidlstm.features.launch import together
from vidlstm.features.ranks import joined
from vidlstm.structures import Failure

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that need not import everything first."""
    monkeypatch.setattr(launch, "PROCESSES", tiny.PROCESSES)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    clips = tiny.make_clips(folder, 9)
    (folder / "bad.mp4").write_bytes(b"not a video")
    return [*clips, folder / "bad.mp4"]


@pytest.fixture(scope="module")
def alone(
    clips: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ExtractionReport, dict[str, bytes]]:
    root = tmp_path_factory.mktemp("alone")
    return tiny.extract(clips, root, workers=1), tiny.files_of(root)


def test_two_give_one_s_store_and_report_and_a_killed_one_loses_nothing(
    clips: list[Path], alone: tuple[ExtractionReport, dict[str, bytes]], tmp_path: Path
) -> None:
    report, files = alone
    before = dict(os.environ), torch.get_num_threads()
    with pytest.raises(
        RankError, match=r"at most \d of 10 videos are missing.*\n.*ended by signal 9"
    ) as told:
        tiny.extract_together(clips, tmp_path, killed=1)
    missing = int(str(told.value).partition("at most ")[2].split()[0])
    done = tiny.files_of(tmp_path)
    assert files.items() > done.items()
    assert len(files) - len(done) <= missing, "the one that lives has finished its shard"

    seen: list[tuple[int, int]] = []
    both = tiny.extract_together(clips, tmp_path, seen=seen)
    assert tiny.files_of(tmp_path) == files
    assert (both.hashes, both.failures) == (report.hashes, report.failures)
    assert (both.found, both.extracted) == (len(done), 9 - len(done))
    assert seen == sorted(seen)
    assert seen[-1] == (9, 1), "the first tells of all"
    assert {*os.environ.items()} ^ {*before[0].items()} == set()
    assert torch.get_num_threads() == before[1]
    assert not torch.distributed.is_initialized()


def test_the_command_line_says_once_what_all_did(
    clips: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", math.inf)
    command = ["extract", *map(str, clips[-4:]), "--device", "cpu", "--backbone.name", "squeezenet1_1"]
    command += ["--backbone.weights", "random", "--sampling.workers", "1"]
    assert main([*command, "--store", str(tmp_path / "one")]) == 1
    one = capfd.readouterr()
    assert main([*command, "--store", str(tmp_path / "two"), "--devices", "2"]) == 1
    two = capfd.readouterr()
    assert two.out.partition(" frames in")[0] == one.out.partition(" frames in")[0]
    assert two.err == one.err
    assert tiny.files_of(tmp_path / "two") == tiny.files_of(tmp_path / "one")


def test_what_cannot_be_shared_is_refused_before_any_work() -> None:
    with pytest.raises(SettingsError, match="`device cpu:0` is one alone"), together(2, 1, "cpu:0", print):
        pass
    if torch.cuda.device_count() < 99:
        with pytest.raises(SettingsError, match="`device"), together(99, 1, "cuda", print):
            pass


def test_processes_share_the_cores() -> None:
    cores = available_cores()
    with sharing_cores(2):
        assert available_cores() == max(1, cores // 2)
    assert available_cores() == cores


def test_reports_are_joined_in_the_order_of_the_paths() -> None:
    a, b, c = (Path(f"{name}.mp4") for name in "abc")
    first = ExtractionReport({c: "3"}, [], extracted=1, features=5, remarks=["x"], seconds=2)
    second = ExtractionReport({a: "1"}, [Failure(b, "empty")], found=1, features=7, seconds=3)
    whole = joined([first, second], [a, b, c])
    assert list(whole.hashes.items()) == [(a, "1"), (c, "3")]
    assert (whole.extracted, whole.found, whole.features, whole.remarks, whole.seconds) == (
        1,
        1,
        12,
        ["x"],
        3,
    )
    assert whole.failures == [Failure(b, "empty")]
