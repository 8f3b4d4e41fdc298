"""No prediction lands on another object's number; windows are shared, and what is too short is listed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch

from tests.fakes.objects import STEP, sequence
from tests.fakes.people import crowd, write_table
from vidlstm.datamodules.object_sequences import ObjectSequence, object_sequences
from vidlstm.features.read_tracks import read_tracked_objects
from vidlstm.features.tracked_objects import POSE_DIM
from vidlstm.inference.object_windows import ObjectWindowClassifier
from vidlstm.inference.windows import Cut
from vidlstm.models.bags import BagClassifier
from vidlstm.models.fusion import FUSIONS, BagFusion, build_bag_classifier
from vidlstm.settings import WindowSettings
from vidlstm.structures import ActionPrediction, ObjectActions

LABELS = ("a", "b", "c")
FRAMES = 90
LAST = (FRAMES - 1) / 10


def network(width: int = POSE_DIM, fusion: str = "early") -> BagClassifier | BagFusion:
    torch.manual_seed(0)
    widths = [width // 2, width - width // 2]
    model = build_bag_classifier(widths, 3, fusion=fusion, hidden_size=8, num_layers=1, projection=8)
    for value in model.parameters():
        if value.ndim > 1:
            torch.nn.init.normal_(value, std=1.5)  # so that what it says of two people differs
    return model.eval()


def predictor(model: BagClassifier | BagFusion, width: int = 4, **settings: Any) -> ObjectWindowClassifier:
    window = {name: settings.pop(f"{name}_seconds", None) for name in ("stride", "minimum")}
    cut = Cut.of(
        WindowSettings(stride_seconds=window["stride"], minimum_seconds=window["minimum"]),
        settings.pop("window_seconds", 2.0),
    )
    settings = {"minimum_object_seconds": 0.5, **settings}
    return ObjectWindowClassifier(model, LABELS, cut, feature_dim=width, step_seconds=STEP, **settings)


def actions_of(path: Path, model: BagClassifier | BagFusion) -> ObjectActions:
    """As ``predict`` does: table, poses, sequences, windows."""
    (objects,) = read_tracked_objects(path, fps=10.0).values()
    sequences = object_sequences(
        objects.poses().astype(np.float16),
        objects.track_id_N,
        objects.seconds_N,
        objects.step_N,
        step_seconds=objects.step_seconds,
        max_gap_seconds=0.3,
    )
    return predictor(model, POSE_DIM)("v.mp4", sequences, first_seconds=0.0, last_seconds=LAST)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine people with gaps short and long; one is there for three frames alone."""
    rows = crowd(FRAMES, 9, seed=4)
    rows = [r for r in rows if not (r["track_id"] == 3 and 20 <= r["frame"] < 40)]
    rows = [r for r in rows if r["track_id"] != 5 or r["frame"] in (30, 31, 32)]
    rows = [r for r in rows if r["track_id"] != 6 or r["frame"] > 50]
    return write_table(tmp_path_factory.mktemp("tracks") / "t.parquet", rows)


def same(a: ActionPrediction, b: ActionPrediction) -> None:
    np.testing.assert_array_equal(a.window_start_seconds, b.window_start_seconds)
    np.testing.assert_array_equal(a.window_end_seconds, b.window_end_seconds)
    np.testing.assert_allclose(a.window_probabilities, b.window_probabilities, atol=1e-4)
    assert [replace(s, probability=0.0) for s in a.segments] == [
        replace(s, probability=0.0) for s in b.segments
    ]


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("seed", range(2))
def test_shuffled_numbers_shuffle_the_predictions_alone(
    seed: int, fusion: str, tracks: Path, tmp_path: Path
) -> None:
    model, frame, rng = network(fusion=fusion), polars.read_parquet(tracks), np.random.default_rng(seed)
    old = frame["track_id"].unique().to_list()
    new = dict(zip(old, rng.choice(100_000, len(old), replace=False).tolist(), strict=True))
    renamed = frame.with_columns(polars.col("track_id").replace_strict(new))
    renamed[rng.permutation(len(renamed))].write_parquet(tmp_path / "s.parquet")
    before, after = actions_of(tracks, model), actions_of(tmp_path / "s.parquet", model)
    assert set(after.tracks) == {new[i] for i in before.tracks} and len(before.tracks) == 8
    assert after.short_tracks == {new[i]: seconds for i, seconds in before.short_tracks.items()}
    same(after.scene, before.scene)
    for track, prediction in before.tracks.items():
        same(after.tracks[new[track]], prediction)
        np.testing.assert_allclose(after.attention[new[track]], before.attention[track], atol=1e-4)
    differ = [
        np.abs(a.window_probabilities[0] - b.window_probabilities[0]).max()
        for i, a in before.tracks.items()
        for j, b in before.tracks.items()
        if i < j
    ]
    assert np.median(differ) > 0.02, "the network tells people apart, so that a mix-up would be seen"


def test_what_is_said_of_one_does_not_depend_on_who_else_is_there() -> None:
    """Given its features; the scene and the attention do."""
    model = network(4)
    everybody = [sequence(n, 30 + 5 * n, start_seconds=0.5 * n) for n in range(1, 7)]
    together = predictor(model)("v.mp4", everybody, first_seconds=0.0, last_seconds=LAST)
    for one in everybody:
        alone = predictor(model)("v.mp4", [one], first_seconds=0.0, last_seconds=LAST)
        same(alone.tracks[one.track_id], together.tracks[one.track_id])
        assert alone.attention[one.track_id].tolist() == [1.0] * len(alone.attention[one.track_id])


def test_each_window_says_what_the_network_says_of_that_stretch_of_that_track() -> None:
    model = network(4)
    people = [sequence(1, 40), sequence(2, 25, start_seconds=1.5), sequence(1, 20, start_seconds=6.0)]
    said = predictor(model)("v.mp4", people, first_seconds=0.0, last_seconds=LAST)
    checked = 0
    for track, prediction in said.tracks.items():
        for start, end, probabilities in zip(
            prediction.window_start_seconds,
            prediction.window_end_seconds,
            prediction.window_probabilities,
            strict=True,
        ):
            inside = [(s, s.within(start, end, minimum_seconds=0.5)) for s in people if s.track_id == track]
            (mine,) = [s.features_TF[seen[0] : seen[1]] for s, seen in inside if seen]
            x = torch.from_numpy(mine)[None]
            with torch.no_grad():
                wanted = model.sequences(x, torch.tensor([len(mine)])).double().softmax(-1)[0]
            np.testing.assert_allclose(probabilities, wanted, atol=1e-5)
            checked += 1
    assert checked > 10


def test_the_shares_of_a_window_add_up_to_one() -> None:
    people = [sequence(n, 60, start_seconds=0.7 * n) for n in range(5)]
    said = predictor(network(4))("v.mp4", people, first_seconds=0.0, last_seconds=LAST)
    total: dict[float, float] = {}
    for track, prediction in said.tracks.items():
        for start, share in zip(prediction.window_start_seconds, said.attention[track], strict=True):
            total[float(start)] = total.get(float(start), 0.0) + share
    assert total and all(share == pytest.approx(1.0, abs=1e-5) for share in total.values())
    assert set(total) <= set(said.scene.window_start_seconds.tolist())


def test_segments_lie_where_the_object_is_seen() -> None:
    """Seen from 1 to 4 s and from 6 to 8 s: nothing is said of the time between."""
    people = [sequence(3, 30, start_seconds=1.0), sequence(3, 20, start_seconds=6.0)]
    said = predictor(network(4))("v.mp4", people, first_seconds=0.0, last_seconds=LAST)
    segments = said.tracks[3].segments
    assert segments[0].start_seconds == pytest.approx(1.0)
    assert segments[-1].end_seconds == pytest.approx(8.0)
    for s in segments:
        assert s.end_seconds <= 4.0 + 1e-6 or s.start_seconds >= 6.0 - 1e-6
    scene = said.scene.segments
    assert scene[0].start_seconds == 0.0 and scene[-1].end_seconds == pytest.approx(LAST + STEP)


def test_a_slow_videos_last_step_is_as_long_as_its_others() -> None:
    slow = ObjectSequence(1, np.zeros((8, 4), np.float16), 0.25 * np.arange(8), 0.25)
    blink = ObjectSequence(2, np.zeros((1, 4), np.float16), np.zeros(1), 0.25)
    said = predictor(network(4))("v.mp4", [slow, blink], first_seconds=0.0, last_seconds=1.75)
    assert said.tracks[1].segments[-1].end_seconds == pytest.approx(2.0)
    assert said.short_tracks == {2: 0.25}


def test_who_is_seen_too_shortly_is_listed_with_all_that_is_seen() -> None:
    people = [
        sequence(1, 30),
        sequence(2, 3),
        sequence(2, 4, start_seconds=5.0),
        sequence(1, 2, start_seconds=8.0),
    ]
    said = predictor(network(4))("v.mp4", people, first_seconds=0.0, last_seconds=LAST)
    assert set(said.tracks) == {1}
    assert said.short_tracks == {2: pytest.approx(0.7)}


def test_nobody_at_all_is_still_a_scene() -> None:
    said = predictor(network(4))("v.mp4", [], first_seconds=2.0, last_seconds=6.9)
    assert said.tracks == said.attention == said.short_tracks == {}
    assert said.scene.segments[0].start_seconds == 2.0
    assert said.scene.segments[-1].end_seconds == pytest.approx(7.0)
    assert len(np.unique(said.scene.window_probabilities, axis=0)) == 1


def test_a_video_shorter_than_a_window_is_one_window() -> None:
    said = predictor(network(4))("v.mp4", [sequence(1, 3)], first_seconds=0.0, last_seconds=0.2)
    assert said.scene.window_start_seconds.tolist() == [0.0]
    assert said.scene.window_end_seconds.tolist() == [pytest.approx(0.3)]
    assert set(said.tracks) == {1}, "who is seen from beginning to end is not seen too shortly"


@pytest.mark.parametrize("stride", [0.1, 0.5, 1.7, 5.0])
def test_windows_cover_the_video_to_its_end(stride: float) -> None:
    said = predictor(network(4), stride_seconds=stride)(
        "v.mp4", [sequence(1, FRAMES)], first_seconds=0.0, last_seconds=LAST
    )
    scene = said.scene
    assert scene.window_start_seconds[0] == 0.0
    assert scene.window_end_seconds[-1] == pytest.approx(LAST + STEP)
    np.testing.assert_allclose(scene.window_end_seconds - scene.window_start_seconds, 2.0)
    assert (np.diff(scene.window_start_seconds) > 0).all()
    assert said.tracks[1].segments[-1].end_seconds == pytest.approx(LAST + STEP)
