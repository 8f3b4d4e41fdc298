"""Every engine gives the same store, the same failures and the same progress."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.features import tiny
from tests.video.clips import make_clip
from vidlstm.errors import SettingsError
from vidlstm.features.engines import Engine, engine_named
from vidlstm.features.extract import ExtractionReport
from vidlstm.ray_cluster import ENGINES

Alone = tuple[ExtractionReport, dict[str, bytes]]
pytestmark = pytest.mark.filterwarnings("ignore:.*jump.mkv. its clock jumps")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Good ones, a copy, and bad ones of several kinds."""
    folder = tmp_path_factory.mktemp("clips")
    good = tiny.make_clips(folder, 9, frames=(20, 60))
    shutil.copy(good[0], folder / "copy.mp4")
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    cut = make_clip(folder / "cut.mp4", frames=60, container_options={"movflags": "faststart"})
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 6 // 10])
    jump = make_clip(folder / "jump.mkv", times=[0, 0.04, 5e8, 5e8 + 0.04], options={"bf": "0"}, tick=tiny.MS)
    bad = [folder / f"{name}.mp4" for name in ("noise", "cut", "missing")]
    return [*good[:5], *bad, *good[5:], folder / "copy.mp4", jump]


@pytest.fixture(scope="module")
def alone(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Alone:
    root = tmp_path_factory.mktemp("alone")
    return tiny.extract(clips, root, workers=1), tiny.files_of(root)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return engine_named(request.param, address=None, build=tiny.built)


def test_the_contract(engine: Engine, clips: list[Path], alone: Alone, tmp_path: Path) -> None:
    report, files = alone
    seen: list[tuple[int, int]] = []

    def progress(report: ExtractionReport) -> None:
        seen.append((report.extracted + report.found, report.features))

    with pytest.warns(UserWarning, match="jump.mkv: its clock jumps"):
        mine = tiny.extract(clips, tmp_path, engine=engine, batch_size=8, progress=progress)
    assert tiny.files_of(tmp_path) == files
    assert mine.hashes == report.hashes
    assert mine.failures == report.failures
    assert [failure.reason for failure in mine.failures] == ["unreadable", "truncated", "missing"]
    assert mine.expected == report.expected
    assert seen == sorted(seen)
    assert seen[-1] == (12, report.features)

    again = tiny.extract(clips, tmp_path, engine=engine)
    assert (again.found, again.extracted, again.features) == (12, 0, 0)
    assert again.failures == report.failures

    next(tmp_path.rglob("*.safetensors")).write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="its features were damaged and are made anew"):
        tiny.extract(clips, tmp_path, engine=engine)
    assert tiny.files_of(tmp_path) == files
    assert tiny.leftovers_of(tmp_path) == []


def test_objects_are_cut_out_alike(
    engine: Engine, clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of videos whose names begin in a folder that workers elsewhere did not start in."""
    monkeypatch.chdir(clips[0].parent)
    names = [Path(clip.name) for clip in clips[:3]]
    crops = tiny.drawn_crops(names)
    tiny.extract(names, tmp_path / "alone", crops=crops)
    tiny.extract(names, tmp_path / "mine", crops=crops, engine=engine)
    assert tiny.files_of(tmp_path / "mine") == tiny.files_of(tmp_path / "alone")


@pytest.mark.usefixtures("ray_cluster")
def test_workers_of_a_cluster_that_are_killed_lose_nothing(
    clips: list[Path], alone: Alone, tmp_path: Path
) -> None:
    killed: list[str] = []

    def kill(report: ExtractionReport) -> None:
        """One worker of each kind, after the first features."""
        for kind in ("BackboneActor.run", "decode") if report.features else ():
            for process in psutil.process_iter(["cmdline"]) if kind not in killed else ():
                if process.info["cmdline"] and process.info["cmdline"][0].startswith(f"ray::{kind}"):
                    process.kill()
                    killed.append(kind)
                    break

    engine = engine_named("ray", address=None, build=tiny.built_slow)
    with pytest.warns(UserWarning, match="jump"):
        report = tiny.extract(clips, tmp_path, engine=engine, batch_size=8, progress=kill)
    assert "BackboneActor.run" in killed
    assert "decode" in killed
    assert report.failures == alone[0].failures
    assert tiny.files_of(tmp_path) == alone[1]


def test_what_is_no_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="`engine rai`: there is no such engine; did you mean 'ray'"):
        engine_named("rai", address=None, build=tiny.built)
    with pytest.raises(SettingsError, match="`address` is that of a Ray cluster"):
        engine_named("local", address="auto", build=tiny.built)
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(SettingsError, match=r"`engine ray` needs a package.*pip install 'vidlstm\[ray\]'"):
        engine_named("ray", address=None, build=tiny.built)
