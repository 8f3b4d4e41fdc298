"""Every engine leaves the same table of tracks, and loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars
import psutil
import pytest

from tests.backbones.networks import yolo_file
from tests.video.clips import make_clip
from vidlstm.errors import SettingsError, VideoError
from vidlstm.ray_cluster import ENGINES, RETRIES
from vidlstm.settings import TrackingSettings
from vidlstm.tracking.engines import Tracking
from vidlstm.tracking.ray_engine import tracked_on_cluster
from vidlstm.tracking.run import TrackingReport
from vidlstm.verbs.track import track


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Good ones, and bad ones of several kinds between them."""
    folder = tmp_path_factory.mktemp("clips")
    good = [make_clip(folder / f"{n}.mp4", frames=10 + n) for n in range(4)]
    (folder / "noise.mp4").write_bytes(b"no video" * 100)
    cut = make_clip(folder / "cut.mp4", frames=60, container_options={"movflags": "faststart"})
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 6 // 10])
    return [good[0], folder / "noise.mp4", *good[1:3], cut, folder / "missing.mp4", good[3]]


@pytest.fixture(scope="module")
def settings() -> TrackingSettings:
    return TrackingSettings(weights=yolo_file("yolo:pose"), image_size=96, batch_size=2)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return str(request.param)


def kill_workers() -> int:
    """All that the cluster has; how many."""
    killed = 0
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] and process.info["cmdline"][0].startswith("ray::TrackingActor"):
            process.kill()
            killed += 1
    return killed


def left_by(out: Path) -> tuple[bytes, dict[str, Any]]:
    return out.read_bytes(), json.loads(out.with_suffix(".json").read_text())


def test_the_contract(
    engine: str,
    clips: list[Path],
    settings: TrackingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(clips[0].parent)
    clips = [Path(clip.name) for clip in clips]
    alone = track(clips, out=tmp_path / "alone.parquet", settings=settings, device="cpu")
    seen: list[tuple[int, int, int]] = []

    def progress(report: TrackingReport, total: int) -> None:
        seen.append((len(report.videos), report.frames, total))

    how: dict[str, Any] = {"settings": settings, "device": "cpu", "engine": engine}
    mine = track(clips, out=tmp_path / "mine.parquet", progress=progress, **how)
    assert left_by(tmp_path / "mine.parquet") == left_by(tmp_path / "alone.parquet")
    assert (mine.videos, mine.failures) == (alone.videos, alone.failures)
    assert [failure.reason for failure in mine.failures] == ["unreadable", "truncated", "missing"]
    assert mine.tracked == 5
    assert polars.read_parquet(tmp_path / "mine.parquet")["video"].n_unique() == 5
    assert seen == sorted(seen)
    assert seen[-1] == (5, alone.frames, len(clips))

    again = track(clips, out=tmp_path / "mine.parquet", **how)
    assert (again.tracked, again.found, again.frames) == (0, 5, 0)
    assert left_by(tmp_path / "mine.parquet") == left_by(tmp_path / "alone.parquet")


@pytest.mark.usefixtures("ray_cluster")
def test_workers_that_are_killed_lose_nothing(settings: TrackingSettings, tmp_path: Path) -> None:
    clips = [make_clip(tmp_path / f"{n}.mp4", size=(480, 640), frames=200 + n) for n in range(3)]
    killed: list[int] = []

    def kill(report: TrackingReport, total: int) -> None:
        if report.frames and not killed:
            killed.append(kill_workers())

    how: dict[str, Any] = {"settings": settings, "device": "cpu"}
    track(clips, out=tmp_path / "mine.parquet", engine="ray", progress=kill, **how)
    assert killed == [2]
    track(clips, out=tmp_path / "alone.parquet", **how)
    assert left_by(tmp_path / "mine.parquet") == left_by(tmp_path / "alone.parquet")


@pytest.mark.usefixtures("ray_cluster")
def test_a_video_that_kills_its_workers_is_listed(settings: TrackingSettings, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", size=(480, 640), frames=300)
    assert settings.weights is not None
    todo, killed = Tracking({clip: settings.weights}, settings, "cpu", frozenset()), list[int]()

    def kill(path: Path, frames: int) -> None:
        if frames:
            killed.append(kill_workers())

    ((path, outcome),) = tracked_on_cluster(todo, kill, address=None)
    assert path == clip
    assert isinstance(outcome, VideoError)
    assert (outcome.reason, len(killed)) == ("crashed", RETRIES + 1)


def test_what_is_no_engine_is_refused_before_anything_is_tracked(
    tmp_path: Path, settings: TrackingSettings
) -> None:
    clip, out = make_clip(tmp_path / "a.mp4", frames=3), tmp_path / "tracks.parquet"
    with pytest.raises(SettingsError, match="`engine rai`: there is no such engine; did you mean 'ray'"):
        track(clip, out=out, settings=settings, engine="rai")
    with pytest.raises(SettingsError, match="`address` is that of a Ray cluster"):
        track(clip, out=out, settings=settings, address="auto")
    assert not out.exists()
