"""What cannot be read goes to a list with its reason, and the rest goes on."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.videos import write_video
from tests.features import tiny
from tests.video.clips import make_clip, make_sound
from vidlstm.errors import StoreError
from vidlstm.features import decode_process
from vidlstm.features.decode_process import DecodeProcess
from vidlstm.features.decode_worker import END, FAILED, FRAMES, HASH, HEAD

MS = Fraction(1, 1000)


@pytest.fixture
def good(tmp_path: Path) -> list[Path]:
    return tiny.make_clips(tmp_path / "good", 3)


def test_every_kind_of_bad_file_is_listed(good: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (bad / "nothing.mp4").touch()
    make_sound(bad / "sound.mp4")
    whole = make_clip(bad / "short.mp4", frames=60, container_options={"movflags": "faststart"})
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    frameless = make_clip(bad / "frameless.mp4", frames=30, container_options={"movflags": "faststart"})
    data = frameless.read_bytes()
    frameless.write_bytes(data[: data.index(b"mdat") + 4])
    os.mkfifo(bad / "pipe.mp4")
    names = ["noise", "nothing", "sound", "short", "frameless", "pipe", "missing"]
    paths = [path for name in names for path in (bad / f"{name}.mp4", good[len(name) % 3])]
    report = tiny.extract(paths, tmp_path / "store")
    reasons = {failure.path.stem: failure.reason for failure in report.failures}
    assert reasons == {
        "noise": "unreadable",
        "nothing": "unreadable",
        "sound": "no_video_stream",
        "short": "truncated",
        "frameless": "empty",
        "pipe": "unreadable",
        "missing": "missing",
    }
    assert [failure.path.stem for failure in report.failures] == names, "in the order of the paths"
    assert set(report.hashes) == {*paths} - {f.path for f in report.failures if f.reason != "truncated"}
    assert {f.path.stem for f in report.unreadable} == set(names) - {"short"}
    assert tiny.leftovers_of(tmp_path) == []


def test_a_clock_that_jumps_is_told_and_asks_for_no_memory(good: list[Path], tmp_path: Path) -> None:
    jump = make_clip(tmp_path / "jump.mkv", times=[0, 0.04, 5e8, 5e8 + 0.04], options={"bf": "0"}, tick=MS)
    with pytest.warns(UserWarning, match="jump.mkv: its clock jumps from 0.04 s to 500000000.00 s"):
        report = tiny.extract([*good, jump], tmp_path / "store")
    assert not report.failures and report.extracted == 4
    sequence = tiny.store_of(tmp_path / "store").get(report.hashes[jump])
    assert sequence.timestamps_seconds.max() < 1


def test_a_truncated_video_keeps_its_good_frames_and_stays_marked(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=60, container_options={"movflags": "faststart"})
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    first = tiny.extract([clip], tmp_path / "store")
    second = tiny.extract([clip], tmp_path / "store")
    assert (second.found, second.extracted) == (1, 0)
    assert first.failures == second.failures
    assert first.failures[0].reason == "truncated"
    sequence = tiny.store_of(tmp_path / "store").get(first.hashes[clip])
    assert sequence.truncated == first.failures[0].detail
    assert 3 < len(sequence) < 24


@pytest.fixture
def unruly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_process, "COMMAND", ["-m", "tests.features.unruly_worker"])


@pytest.mark.usefixtures("unruly")
def test_a_decoder_that_hangs_or_dies_costs_its_video_alone(
    good: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, dies = tmp_path / "hangs.mp4", tmp_path / "dies.mp4"
    for i, path in enumerate((hangs, dies)):
        write_video(path, seed=100 + i)

    def waited(process: DecodeProcess) -> float:
        """Too long for the one that says it hangs; the others may be as slow as this machine is."""
        told, running = hangs.with_suffix(".pid"), process._process
        return 9.0 if running and told.exists() and told.read_text() == str(running.pid) else 0.0

    monkeypatch.setattr(DecodeProcess, "waited_seconds", waited)
    paths = [good[0], hangs, good[1], dies, good[2]]
    report = tiny.extract(paths, tmp_path / "store", timeout_seconds=8)
    assert [(f.path, f.reason) for f in report.failures] == [(hangs, "timeout"), (dies, "crashed")]
    assert report.failures[0].detail == "no frame for 8 s"
    assert set(report.hashes) == set(good)


@pytest.mark.usefixtures("unruly")
def test_a_decoder_that_dies_among_its_frames_spoils_no_others(good: list[Path], tmp_path: Path) -> None:
    breaks, lies = tmp_path / "breaks.mp4", tmp_path / "lies.mp4"
    for i, path in enumerate((breaks, lies)):
        write_video(path, seed=100 + i)
    paths = [good[0], breaks, good[1], lies, good[2]]
    report = tiny.extract(paths, tmp_path / "store", workers=1, batch_size=8)
    assert [(f.path, f.reason) for f in report.failures] == [(breaks, "crashed"), (lies, "crashed")]
    tiny.extract(good, tmp_path / "undisturbed")
    assert tiny.files_of(tmp_path / "store") == tiny.files_of(tmp_path / "undisturbed")


def test_whatever_a_decoder_says_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one may that a hostile file has taken over; each file here is what is said of it."""
    says = "import json, sys\nfor job in sys.stdin:\n"
    says += " sys.stdout.buffer.write(open(json.loads(job)['path'], 'rb').read())\n sys.stdout.flush()"
    monkeypatch.setattr(decode_process, "COMMAND", ["-S", "-c", says])

    def said(kind: int, text: bytes, size: int | None = None) -> bytes:
        return HEAD.pack(kind, len(text) if size is None else size) + text

    hashed = said(HASH, b'{"hash": "00", "have": false}')
    lies = {
        "no_json": said(FRAMES, b"{{"),
        "a_list": said(FRAMES, b"[]"),
        "no_hash": said(HASH, b"{}"),
        "a_path": said(HASH, b'{"hash": "../../x", "have": false}'),
        "no_numbers": hashed + said(FRAMES, b'{"t": ["x"]}'),
        "too_many": hashed + said(FRAMES, b'{"t": [' + b"0, " * 99 + b"0]}"),
        "end_first": said(END, b'{"frames": 3, "truncated": "", "told": []}'),
        "hash_twice": hashed + hashed,
        "no_reason": said(FAILED, b'{"reason": "x", "detail": "", "frame": 0}'),
        "endless": said(FRAMES, b"", 4_000_000_000),
    }
    for name, text in lies.items():
        (tmp_path / f"{name}.mp4").write_bytes(text)
    good = tmp_path / "good.mp4"
    good.write_bytes(said(HASH, b'{"hash": "00", "have": true}'))
    paths = [tmp_path / f"{name}.mp4" for name in lies]
    report = tiny.extract([*paths, good], tmp_path / "store", workers=1)
    assert [(f.path, f.reason) for f in report.failures] == [(path, "crashed") for path in paths]
    assert list(report.hashes) == [good]


@pytest.mark.usefixtures("unruly")
def test_a_video_is_not_blamed_for_the_one_before(good: list[Path], tmp_path: Path) -> None:
    poisons = tmp_path / "poisons.mp4"
    write_video(poisons, seed=100)
    report = tiny.extract([poisons, *good], tmp_path / "store", workers=1)
    assert report.failures == []
    assert set(report.hashes) == {poisons, *good}


def test_a_place_that_cannot_be_written_to_is_named(good: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file.store cannot be written.*another `store`"):
        tiny.extract(good, tmp_path / "file" / "store")


def test_damaged_features_are_made_anew(good: list[Path], tmp_path: Path) -> None:
    report = tiny.extract(good, tmp_path)
    path = tiny.store_of(tmp_path).path_of(report.hashes[good[0]])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.warns(UserWarning, match=r"features were damaged and are made anew: its checksum"):
        again = tiny.extract(good, tmp_path)
    assert (again.extracted, again.found, again.failures) == (1, len(good) - 1, [])
    assert path.read_bytes() == whole


def test_a_file_named_like_a_module_is_not_imported(
    good: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working directory')")
    monkeypatch.chdir(tmp_path)
    assert tiny.extract(good, tmp_path / "store").failures == []


def test_the_verb_ends_with_a_status(
    good: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vidlstm.cli.main import main

    monkeypatch.chdir(tmp_path)
    flags = ["--backbone.name", "squeezenet1_1", "--backbone.weights", "random", "--store", "relative/store"]
    assert main(["extract", "good", *flags]) == 0
    assert "3 videos extracted, 0 there already, 0 failed" in capsys.readouterr().out
    shutil.move("good", "elsewhere")
    Path("elsewhere/bad.mp4").write_bytes(b"not a video at all" * 50)
    assert main(["extract", "elsewhere", *flags, "--failures", "failures.csv"]) == 1
    printed = capsys.readouterr()
    assert "0 videos extracted, 3 there already, 1 failed" in printed.out
    assert "bad.mp4: cannot be opened as a video" in printed.err
    assert "bad.mp4" in Path("failures.csv").read_text()
    assert len(tiny.files_of(tmp_path / "relative" / "store")) == 3
