"""The contract of every output: whole files of the names foretold, read back equal, never over an input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from PIL import Image

from tests.fakes.tracks import write_tracks
from tests.render.examples import object_actions, prediction, same, same_actions
from tests.render.test_track_overlay import forecast
from tests.video.clips import make_clip
from vidlstm.datasets.timed_formats import load_timed
from vidlstm.errors import OutputError, SettingsError, VideoError
from vidlstm.render.sinks import (
    SINKS,
    Material,
    check_outputs,
    one_file,
    outputs_of,
    register_sink,
    suffixes,
    write_outputs,
)
from vidlstm.render.table.action_tables import read_prediction_json, read_segments_csv
from vidlstm.render.table.forecast_tables import forecast_frame
from vidlstm.render.table.object_tables import read_object_actions_json
from vidlstm.structures import Segment, TrackForecasts
from vidlstm.video.reader import open_video

FRAMES = 8
KINDS = sorted({kind for kind, _ in SINKS})
LIKE_ACTION = ("action", "segmentation")
"""Kinds whose predictions are :class:`ActionPrediction`."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("videos") / "my clip.mp4", frames=FRAMES, fps=10)


@pytest.fixture
def material(clip: Path, tmp_path: Path) -> Material:
    table = polars.read_parquet(write_tracks(tmp_path / "t.parquet", frames=FRAMES))
    (tmp_path / "t.parquet").unlink()
    rows = table.with_columns(video=polars.lit(str(clip)))
    return Material(open_video=open_video, tracks=rows, fps={str(clip): 10.0})


def example(kind: str, video: Path) -> Any:
    if kind in LIKE_ACTION:
        return prediction(video=str(video))
    if kind == "object_action":
        actions, name = object_actions(), str(video)
        tracks = {number: replace(said, video=name) for number, said in actions.tracks.items()}
        return replace(actions, video=name, scene=replace(actions.scene, video=name), tracks=tracks)
    return TrackForecasts(
        [replace(forecast(track, 4), recording=str(video)) for track in range(2)],
        short_tracks=[(str(video), 7, 2, 5)],
        gaps=[(str(video), 1, 0.2, 0.6, True)],
        scores={"ade": 1.5, "fde": float("nan")},
    )


def read_forecast_json(paths: list[Path], said: TrackForecasts) -> None:
    assert polars.read_json(paths[0]).height == forecast_frame(said.forecasts).height
    assert json.loads(paths[1].read_text()) == {"ade": 1.5, "fde": None}


def read_forecast_csv(paths: list[Path], said: TrackForecasts) -> None:
    assert polars.read_csv(paths[0]).height == forecast_frame(said.forecasts).height
    assert polars.read_csv(paths[1]).rows() == said.short_tracks
    assert polars.read_csv(paths[2]).rows() == said.gaps


def read_pictures(paths: list[Path], said: Any) -> None:
    for path in paths:
        with Image.open(path) as image:
            assert np.asarray(image).std() > 5


def read_videos(paths: list[Path], said: Any) -> None:
    for path in paths:
        with open_video(path) as video:
            assert len(list(video)) == FRAMES


def is_true(said: bool) -> None:
    assert said


def read_labels(paths: list[Path], said: Any, within: float) -> None:
    """What a labelling tool is given is what our own reader of that tool finds in it."""
    found = load_timed(paths[0], videos=Path(said.video).parent).videos[0]
    assert [at.label for at in found.labels] == [segment.label for segment in said.segments]
    moved = found.in_container_clock(float(said.window_start_seconds[0]))
    for at, segment in zip(moved.labels, said.segments, strict=True):
        assert at.start_seconds == pytest.approx(segment.start_seconds, abs=within + 1e-9)
        assert at.end_seconds == pytest.approx(segment.end_seconds, abs=within + 1e-9)


def read_json(paths: list[Path], said: Any) -> None:
    assert same(read_prediction_json(paths[0]), said)


def read_segments(paths: list[Path], said: Any) -> None:
    assert tuple(read_segments_csv(paths[0])) == said.segments


READERS: dict[tuple[str, str], Callable[[list[Path], Any], None]] = {
    **{(kind, "json"): read_json for kind in LIKE_ACTION},
    **{(kind, "csv"): read_segments for kind in LIKE_ACTION},
    **{(kind, "eaf"): partial(read_labels, within=0.0005) for kind in LIKE_ACTION},
    **{(kind, "labelstudio.json"): partial(read_labels, within=0.05) for kind in LIKE_ACTION},
    ("object_action", "json"): lambda p, said: is_true(same_actions(read_object_actions_json(p[0]), said)),
    ("object_action", "csv"): lambda p, said: is_true(
        polars.read_csv(p[0]).height
        == len(said.scene.segments) + sum(len(t.segments) for t in said.tracks.values())
    ),
    ("forecast", "parquet"): lambda p, said: is_true(
        polars.read_parquet(p[0]).equals(forecast_frame(said.forecasts))
    ),
    ("forecast", "csv"): read_forecast_csv,
    ("forecast", "json"): read_forecast_json,
    **{(kind, "png"): read_pictures for kind in KINDS},
    **{(kind, "mp4"): read_videos for kind in KINDS},
}


@pytest.mark.parametrize("truth", [None, (Segment(0, 3, "walk", 1.0),)], ids=["alone", "with truth"])
@pytest.mark.parametrize(("kind", "suffix"), SINKS)
def test_write_read_back_equal(
    kind: str, suffix: str, truth: Any, clip: Path, material: Material, tmp_path: Path
) -> None:
    said, stem = example(kind, clip), tmp_path / "new folder" / "clip.v2"
    files = write_outputs(kind, said, stem, [suffix], replace(material, truth=truth))
    READERS[kind, suffix](files, said)
    assert files == outputs_of(kind, stem, [suffix], [str(clip)])
    assert sorted(stem.parent.iterdir()) == sorted(files), "nothing is left beside them"


@pytest.mark.parametrize(("kind", "suffix"), SINKS)
def test_an_input_is_never_written_over(
    kind: str, suffix: str, clip: Path, material: Material, tmp_path: Path
) -> None:
    said, stem = example(kind, clip), tmp_path / "clip"
    for file in outputs_of(kind, stem, [suffix], [str(clip)]):
        file.write_text("mine")
        (tmp_path / "other name").hardlink_to(file)
        for name in (file, tmp_path / "x" / ".." / file.name, tmp_path / "other name"):
            (tmp_path / "x").mkdir(exist_ok=True)
            with pytest.raises(OutputError, match="choose another `out`") as caught:
                write_outputs(kind, said, stem, [suffix], material, inputs=[name])
            assert str(file) in str(caught.value) and not caught.value.written
        assert file.read_text() == "mine"
        for path in (tmp_path / "other name", file):
            path.unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_the_video_of_a_prediction_is_an_input(kind: str, material: Material, tmp_path: Path) -> None:
    """Whatever the verb says: a video's own name is refused for what is drawn on it."""
    video = tmp_path / ("a_forecast.mp4" if kind == "forecast" else "a.mp4")
    stem = tmp_path / "a"
    video.write_bytes(b"mine")
    said = example(kind, video)
    if kind == "forecast":  # drawn on another video whose forecasts would have this name
        said.gaps.append((str(tmp_path / "a.mov"), 1, 0.0, 1.0, True))
    with pytest.raises(OutputError, match="is an input"):
        write_outputs(kind, said, stem, ["json", "mp4"], material)
    assert video.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [video]


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_fails_does_not_keep_the_others(kind: str, material: Material, tmp_path: Path) -> None:
    gone = example(kind, tmp_path / "gone.mp4")
    with pytest.raises(VideoError, match="no such file") as caught:
        write_outputs(kind, gone, tmp_path / "out" / "clip", suffixes(kind)[::-1], replace(material, fps={}))
    written = sorted(caught.value.written)
    assert written == sorted((tmp_path / "out").iterdir())
    wanted = outputs_of(kind, tmp_path / "out" / "clip", suffixes(kind), [gone_name(gone)])
    assert sorted(p for p in wanted if p.suffix != ".mp4") == written


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_in_a_prediction_is_never_opened_as_an_address(
    kind: str, material: Material, tmp_path: Path
) -> None:
    said, opened = example(kind, Path("x")), []

    def open_nothing(video: str) -> Any:
        opened.append(video)
        raise VideoError(video, reason="missing")

    if isinstance(said, TrackForecasts):
        said.gaps[:] = [("rtsp://host/x", 1, 0.0, 1.0, True)]
    else:
        said = replace(said, video="rtsp://host/x")
    with pytest.raises(VideoError):
        write_outputs(kind, said, tmp_path / "a", ["mp4"], replace(material, open_video=open_nothing))
    assert opened and not any("//" in video for video in opened[-1:])


def gone_name(said: Any) -> str:
    return said.forecasts[0].recording if isinstance(said, TrackForecasts) else said.video


def test_one_video_that_fails_does_not_keep_the_forecasts_of_others(
    clip: Path, material: Material, tmp_path: Path
) -> None:
    rates = {str(tmp_path / "gone.mp4"): None, **material.fps}
    with pytest.raises(VideoError, match=r"gone\.mp4") as caught:
        write_outputs(
            "forecast", example("forecast", clip), tmp_path / "f", ["mp4"], replace(material, fps=rates)
        )
    assert caught.value.written == (tmp_path / "my clip_forecast.mp4",)


@pytest.mark.parametrize("rate", [1e9, 1e-9, None])
def test_a_rate_that_cannot_be_changes_nothing_but_the_claim(
    rate: float | None, clip: Path, material: Material, tmp_path: Path
) -> None:
    claims = replace(material, fps={str(clip): rate})
    read_videos(write_outputs("action", example("action", clip), tmp_path / "a", ["mp4"], claims), None)


def test_recordings_of_one_name_keep_their_own_pictures(clip: Path, tmp_path: Path) -> None:
    found = example("forecast", clip)
    for name in ("a/x/v.avi", "b/x/v.avi", "a b.mp4", "a_b.mp4"):
        found.forecasts.append(replace(found.forecasts[0], recording=name))
    files = write_outputs("forecast", found, tmp_path / "t", ["png"])
    assert len(set(files)) == len(files) == 5
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_futures_stay_out_of_text_where_they_are_not_wanted(clip: Path, tmp_path: Path) -> None:
    outputs = ["parquet", "csv", "json"]
    material = Material(modes_in_text=False)
    files = write_outputs("forecast", example("forecast", clip), tmp_path / "t", outputs, material)
    assert set(polars.read_parquet(files[0])["mode"]) == {-2, -1, 0, 1}
    assert set(polars.read_csv(files[1])["mode"]) == set(polars.read_json(files[4])["mode"]) == {-2, -1}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wanted_and_missing_is_our_mistake(kind: str, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Material\("):
        write_outputs(kind, example(kind, clip), tmp_path / "clip", ["mp4"])
    assert not list(tmp_path.iterdir())


def test_a_wrong_output_names_the_nearest() -> None:
    assert check_outputs("action", ["mp4", "json", "mp4"]) == ("mp4", "json")
    with pytest.raises(SettingsError, match="did you mean 'parquet'"):
        check_outputs("forecast", ["parket"])
    with pytest.raises(SettingsError, match=r"allowed: csv, eaf, json, labelstudio\.json, mp4, png"):
        check_outputs("action", ["zzz"])
    with pytest.raises(ValueError, match="did you mean 'forecast'"):
        suffixes("forecasts")


def test_an_output_of_ones_own_is_in_the_list_and_is_written(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidlstm.render.sinks.SINKS", {})
    monkeypatch.setattr("vidlstm.render.sinks.FILES", {})

    @register_sink("action", "txt")
    @one_file("txt")
    def as_text(said: Any, path: Path, material: Material) -> None:
        path.write_text(" ".join(segment.label for segment in said.segments))

    @register_sink("action", "many", lambda stem, recordings: [stem.with_name(f"{n}.x") for n in (1, 2)])
    def as_many(said: Any, stem: Path, material: Material) -> list[Path]:
        files = [stem.with_name(f"{n}.x") for n in (1, 2)]
        for file in files:
            file.write_text("x")
        return files

    assert suffixes("action") == ("txt", "many")
    files = write_outputs("action", example("action", clip), tmp_path / "clip", suffixes("action"))
    assert files == [tmp_path / name for name in ("clip.txt", "1.x", "2.x")]
    assert files[0].read_text() == "sit_down walk sit_down"
    with pytest.raises(OutputError, match=r"2\.x"):
        write_outputs("action", example("action", clip), tmp_path / "clip", ["many"], inputs=files[2:])


def test_the_list_is_cheap_to_look_at() -> None:
    """The parser of the command line asks for it."""
    heavy = {"torch", "matplotlib", "cv2", "av", "polars", "PIL", "scipy"}
    code = f"import sys, vidlstm.render.sinks; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
