"""``watch`` with tracked objects: what is said of each while it happens is what the whole file gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vidlstm
from tests.fakes.tracked_clips import DISC, SQUARE, write_boxes
from tests.fakes.videos import write_video
from tests.features.tiny import WIDTH, tiny_backbone
from tests.tracking.test_mot_boxes import det
from tests.verbs.test_watch import Viewer
from tests.video.clips import make_clip
from vidlstm.cards import CARD, MODEL, ObjectActionCard, Tracked, TrajectoryCard
from vidlstm.cli.main import main
from vidlstm.errors import SettingsError
from vidlstm.features.read_tracks import tracked_objects
from vidlstm.inference.stream import CarriedState
from vidlstm.render.live.annotate import SMALLEST_SIDE
from vidlstm.settings import ActionModelSettings, TrajectoryDataSettings, TrajectoryModelSettings
from vidlstm.tasks import TASKS
from vidlstm.tasks.object_action.data import sequences_of
from vidlstm.tasks.object_action.network import ObjectNetwork
from vidlstm.tracking.mot_boxes import read_mot_boxes

AWAY = range(20, 23)
"""Frames in which the square is not seen; at 10 a second, a gap that is filled."""


def saved(path: Path, card: Any, sure: float = 40.0) -> Path:
    torch.manual_seed(3)
    state = TASKS[card.task].build(card).state_dict()
    state = {k: v * sure if k.endswith("head.1.weight") else v for k, v in state.items()}
    torch.save({"state_dict": {f"{MODEL}{k}": v for k, v in state.items()}, CARD: card.as_plain()}, path)
    return path


def classifier(folder: Path, boxes: list[Path], **model: Any) -> Any:
    """Of what is cut out of each box; never trained."""
    network = ObjectNetwork(pose=False, crops=tiny_backbone(), crop_margin=0.1)
    card = ObjectActionCard(
        labels=("a", "b", "c"),
        feature_dim=WIDTH,
        part_dims=(WIDTH,),
        backbone=network.spec,
        fps=10.0,
        window_seconds=1.0,
        model=ActionModelSettings(hidden_size=8, num_layers=1, projection=0, **model),
        objects=Tracked(tracking={"lost_seconds": 0.5}, max_gap_seconds=0.5, minimum_seconds=0.3),
    )
    path = saved(folder / "objects.ckpt", card)
    return vidlstm.load(path, backbone=tiny_backbone(), device="cpu", tracking={"boxes": boxes})


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Two videos, of 10 and of 25 frames a second, and their boxes; the square goes away for a while."""
    root = tmp_path_factory.mktemp("films")
    found = []
    for i, fps in enumerate((10, 25)):
        drawn = write_video(root / f"{i}.mp4", frames=44, seed=i, fps=fps)
        boxes = write_boxes(root / f"{i}.txt", drawn)
        seen = [
            line
            for line in boxes.read_text().splitlines(True)
            if not (int(line.split(",")[0]) - 1 in AWAY and line.split(",")[1] == str(SQUARE))
        ]
        boxes.write_text("".join(seen))
        found.append((root / f"{i}.mp4", boxes))
    return found


def whole(model: Any, boxes: Path) -> Any:
    """The predictor for files, which finds the same boxes."""
    model._detector = read_mot_boxes(boxes)
    return model


def watched(model: Any, films: list[Path], **more: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    vidlstm.watch(model, films, on_event=events.append, settings={"steps": True}, **more)
    return events


def said_of(events: list[dict[str, Any]], film: Path, track: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and probabilities."""
    steps = [e for e in events if e["event"] == "step" and e["source"] == str(film) and e["track"] == track]
    return np.array([e["seconds"] for e in steps]), np.array(
        [list(e["probabilities"].values()) for e in steps]
    )


def test_windows_of_each_object_are_those_of_predict(films: list[tuple[Path, Path]], tmp_path: Path) -> None:
    model = classifier(tmp_path, [boxes for _, boxes in films])
    assert "model.bidirectional false" in model.why_not_carried()
    events = watched(model, [film for film, _ in films])
    for film, boxes in films:
        offline = whole(model, boxes).predict(film)
        for track in (DISC, SQUARE):
            seconds, said = said_of(events, film, track)
            expected = offline.tracks[track]
            # The last windows of a whole file are moved back to end with it.
            inner = (expected.window_end_seconds < expected.window_end_seconds[-1] - 1e-6).sum()
            assert inner > 1 and len(said) >= inner
            # Of a gap in which a window ends nobody knows yet what comes after it.
            gap = np.array([AWAY.start, AWAY.stop]) / (10 if film == films[0][0] else 25)
            ends = expected.window_end_seconds[:inner]
            known = (ends <= gap[0]) | (ends >= gap[1]) | (track == DISC)
            assert (~known).sum() == (film == films[0][0] and track == SQUARE)
            np.testing.assert_allclose(
                said[:inner][known], expected.window_probabilities[:inner][known], rtol=0, atol=1e-5
            )
            late = seconds[:inner] - expected.window_end_seconds[:inner]
            assert (late < 0.01).all() and (late > -0.11).all()  # as soon as no frame of it can follow


def carried_offline(model: Any, film: Path, boxes: Path) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """The network over the sequences of the whole file's table, step by step."""
    name, video, rate, table, _ = whole(model, boxes).track(film, None)
    objects = tracked_objects(table, fps=model.card.fps, source=name)[name]
    gap = model.card.objects.max_gap_seconds
    found = {}
    for one in sequences_of(objects, model.network, model._pictures(objects, video, rate), gap):
        streams = CarriedState(model.model.sequences)
        said = [streams.push([0], x_F[None], [0.0])[0] for x_F in one.features_TF]
        found[one.track_id] = one.seconds_T, np.array(said)
    return found


def test_the_state_of_each_object_is_carried_over_gaps(
    films: list[tuple[Path, Path]], tmp_path: Path
) -> None:
    model = classifier(tmp_path, [boxes for _, boxes in films], bidirectional=False, pooling="last")
    assert not model.why_not_carried()
    events = watched(model, [film for film, _ in films])
    for film, boxes in films:
        for track, (seconds, expected) in carried_offline(model, film, boxes).items():
            times, said = said_of(events, film, track)
            at = np.array([np.abs(seconds - now).argmin() for now in times])
            np.testing.assert_allclose(seconds[at], times, rtol=0, atol=1e-9)
            np.testing.assert_allclose(said, expected[at], rtol=0, atol=1e-5)
            missing = len(expected) - len(said)  # nothing is said while an object is away
            assert missing == ((3 if film == films[0][0] else 1) if track == SQUARE else 0)


def test_events_have_the_track_and_its_box_and_end_with_it(
    films: list[tuple[Path, Path]], tmp_path: Path
) -> None:
    film, boxes = films[0]
    gone = tmp_path / "gone.txt"  # the disc goes for good after two seconds
    lines = boxes.read_text().splitlines(True)
    gone.write_text("".join(x for x in lines if int(x.split(",")[0]) < 20 or x.split(",")[1] == str(SQUARE)))
    model = classifier(tmp_path, [gone], bidirectional=False, pooling="last")
    viewer = Viewer()
    events = watched(model, [film], listeners=[viewer], online={"enter": 0.4, "leave": 0.3})
    mine = [e for e in events if e["event"] in ("start", "end") and e["track"] == DISC]
    assert mine and len(mine[0]["box"]) == 4 and mine[-1]["event"] == "end"
    assert mine[-1]["end_seconds"] == pytest.approx(1.8)  # when it was last seen
    over = events.index(mine[-1])
    step = next(e for e in reversed(events[:over]) if e["event"] == "step" and e["track"] == SQUARE)
    assert 2.3 <= step["seconds"] <= 2.5  # half a second after that
    objects = {one.track_id for one in viewer.shots[5].objects}
    assert objects == {DISC, SQUARE} and viewer.shots[5].lasting
    drawn = viewer.shots[5].drawn
    assert drawn.shape[1] == SMALLEST_SIDE
    empty = np.zeros_like(drawn)
    assert not np.array_equal(drawn, empty)


def forecaster(folder: Path, **settings: Any) -> Any:
    known = {"coordinates": 4, "unit": "pixels", "seconds_per_step": 0.2, "neighbours": 2}
    card = TrajectoryCard(
        **(known | settings.pop("card", {})),
        model=TrajectoryModelSettings(
            modes=3, hidden_size=8, decoder_size=8, neighbours=2, social="directional"
        ),
        data=TrajectoryDataSettings(observed=4, horizon=5, max_gap_seconds=0.5),
    )
    return vidlstm.load(saved(folder / "paths.ckpt", card, sure=1.0), device="cpu", **settings)


@pytest.mark.parametrize("every", [1, 3])
def test_forecasts_are_those_of_predict(tmp_path: Path, every: int) -> None:
    film = make_clip(tmp_path / "a.mp4", size=(96, 320), frames=75, fps=25)
    boxes = det(tmp_path / "det.txt", frames=75)
    lines = boxes.read_text().splitlines(True)
    boxes.write_text("".join(line for n, line in enumerate(lines) if not 60 <= n < 65))  # a short gap
    model = forecaster(tmp_path, tracking={"boxes": [boxes]}, every=every)
    viewer = Viewer()
    events = watched(model, [film], listeners=[viewer])
    live = {(e["track"], round(e["seconds"], 6)): e for e in events if e["event"] == "forecast"}
    offline = whole(model, boxes).predict(film).forecasts
    # Offline each track's end is forecast from as well, whatever the stride, and after the last frame.
    offline = [f for f in offline if f.moment_seconds < 74 / 25]
    on_stride = [f for f in offline if round(f.moment_seconds / 0.2 - 3, 6) % every == 0]
    assert live.keys() == {(f.track_id, round(f.moment_seconds, 6)) for f in on_stride} and len(live) > 7
    for f in on_stride:
        event = live[f.track_id, round(f.moment_seconds, 6)]
        np.testing.assert_allclose(event["path"], f.path_PC, rtol=0, atol=2e-3)
        for future, mode_PC, share in zip(event["futures"], f.modes_KPC, f.probabilities_K, strict=True):
            np.testing.assert_allclose(future["path"], mode_PC, rtol=0, atol=2e-3)
            assert future["probability"] == pytest.approx(float(share), abs=2e-4)
        assert (event["unit"], event["seconds_per_step"]) == ("pixels", 0.2)
    assert viewer.shots[-1].forecasts and viewer.shots[-1].drawn.any()


@pytest.mark.parametrize(
    ("card", "settings", "said"),
    [
        ({}, {}, "give either `weights FILE`"),
        ({}, {"tracking": {"boxes": ["a.txt", "b.txt"]}}, "2 files for 1 sources"),
        ({"unit": "metres"}, {}, "give `homography FILE`"),
        ({}, {"homography": "ground.txt"}, "leave `homography` out"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_opened(
    card: Any, settings: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ground.txt").write_text("1 0 0\n0 1 0\n0 0 1\n")
    for name in ("a.txt", "b.txt"):
        det(tmp_path / name)
    model = forecaster(tmp_path, card=card, **settings)
    with pytest.raises(SettingsError, match=said):
        vidlstm.watch(model, "rtsp://nobody/1")


def test_what_has_no_use_is_refused(tmp_path: Path) -> None:
    model = forecaster(tmp_path, tracking={"boxes": [det(tmp_path / "a.txt")]})
    with pytest.raises(SettingsError, match="`record` saves what happens"):
        vidlstm.watch(model, "rtsp://nobody/1", surfaces={"record": 1, "out": tmp_path / "out"})
    with pytest.raises(SettingsError, match="`boxes` are those of the frames of a file"):
        vidlstm.watch(model, "rtsp://nobody/1")


def test_the_command_line_takes_the_flags_of_tracking(tmp_path: Path, capsys: Any) -> None:
    film = make_clip(tmp_path / "a.mp4", size=(96, 320), frames=30, fps=10)
    boxes, out = det(tmp_path / "det.txt", frames=30), tmp_path / "events.jsonl"
    checkpoint = forecaster(tmp_path).path
    argv = [
        "watch",
        str(checkpoint),
        str(film),
        "--boxes",
        str(boxes),
        "--every",
        "2",
        "--lost_seconds",
        "0.3",
    ]
    assert main([*argv, "--timeout_seconds", "5", "--events", str(out)]) == 0
    events = [json.loads(line) for line in out.read_text().splitlines()]
    seconds = {round(e["seconds"], 6) for e in events if e["event"] == "forecast"}
    assert seconds == {round(0.6 + 0.4 * n, 6) for n in range(6)}
    assert main(["watch", str(checkpoint), str(film), "--fps", "0"]) == 2
    assert "fps" in capsys.readouterr().err
