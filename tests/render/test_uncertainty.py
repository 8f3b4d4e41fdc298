"""What is not sure, or said of nobody, looks so: in plots, videos, tables and words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.render.examples import labels, object_actions, prediction
from tests.render.test_object_actions import frame, table
from tests.render.test_plots import pixels, share_of
from vidlstm.render.draw.action_overlay import OverlayDrawer
from vidlstm.render.draw.object_overlay import ObjectActionDrawer
from vidlstm.render.moments import judged_scene, nobody, parts_of, probabilities_at
from vidlstm.render.palette import colour_of
from vidlstm.render.plot import action_timeline, object_timeline
from vidlstm.render.plot.action_timeline import plot_timeline
from vidlstm.render.table.object_tables import write_object_actions_json
from vidlstm.structures import ActionPrediction, ObjectActions, Segment
from vidlstm.tasks.object_action.task import ObjectActionTask


def said_with(probability: float) -> ActionPrediction:
    return replace(prediction(("fight", "noFight")), segments=(Segment(0.0, 5.5, "fight", probability),))


@pytest.mark.parametrize("probability", [0.51, 0.9, float("nan")])
def test_a_bar_is_as_full_as_its_label_is_probable(probability: float, tmp_path: Path) -> None:
    said, sure = said_with(probability), said_with(1.0)
    share, colour = np.nan_to_num(probability), colour_of(said.labels)["fight"]
    rows = []
    for one in (said, sure):
        drawer = OverlayDrawer(96, 128, one)
        to = drawer.layout
        strip = drawer.draw(np.zeros((96, 128, 3), np.uint8), 0.0)[
            to.strips_top : to.strips_top + to.strip_height
        ]
        rows.append((strip[:, -to.margin - 20] == colour).all(-1).sum())
    assert rows[1] == to.strip_height
    assert rows[0] == pytest.approx(max(1, share * to.strip_height), abs=1)
    shares = []
    for one in (said, sure):
        plot_timeline(
            replace(one, window_probabilities=one.window_probabilities * np.nan), tmp_path / "t.png"
        )
        shares.append(share_of(pixels(tmp_path / "t.png"), colour))
    assert shares[0] / shares[1] == pytest.approx(share, abs=0.06)


def test_labels_without_room_or_bar_stand_in_a_legend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = labels(14)
    many = tuple(Segment(i * 0.1, i * 0.1 + 0.1, names[i % 14], 0.8) for i in range(55))
    named: list[list[str]] = []
    legend = action_timeline.name_colours

    def watched(axes: object, *given: object, **more: object) -> None:
        legend(axes, *given, **more)  # type: ignore[arg-type]
        found = axes.get_legend()  # type: ignore[attr-defined]
        named.append([*given[2], *(text.get_text() for text in found.get_texts())])  # type: ignore[misc]

    monkeypatch.setattr(action_timeline, "name_colours", watched)
    said = replace(prediction(names), segments=many)
    plot_timeline(said, tmp_path / "t.png", [Segment(0, 1, "unknown", 1.0)])
    assert {*names, "unknown"} <= set(named[0])
    panel = OverlayDrawer(360, 640, said)
    assert panel.layout.key_rows > OverlayDrawer(360, 640, prediction(labels(3))).layout.key_rows == 1
    foot = panel.draw(np.zeros((360, 640, 3), np.uint8), 0.0)[panel.layout.key_top :]
    shown = [name for name, colour in colour_of(names).items() if (foot == colour).all(-1).sum() > 20]
    assert shown == list(names)


def test_an_hour_is_drawn_in_rows_of_time(tmp_path: Path) -> None:
    names = labels(3)
    hour = tuple(Segment(6.0 * i, 6.0 * i + 6, names[i % 3], 1.0) for i in range(600))
    assert parts_of((8.0, 20.0), [("a", hour[:60])]) == [(8.0, 20.0)]
    parts = parts_of((0.0, 3600.0), [("a", hour)], most=8)
    assert len(parts) == 8 and parts[0][0] == 0 and parts[-1][1] == 3600
    said = replace(prediction(names), segments=hour)
    plot_timeline(said, tmp_path / "t.png")
    image, colours = pixels(tmp_path / "t.png"), colour_of(names)
    runs = max(int(np.diff((row == colours["class_0"]).all(-1).astype(int)).clip(0).sum()) for row in image)
    assert 20 <= runs <= 30, "each of the 25 segments of a class in a row is seen"


def test_the_panel_shows_the_minutes_around_a_moment() -> None:
    names = labels(3)
    hour = tuple(Segment(6.0 * i, 6.0 * i + 6, names[i // 60 % 3], 1.0) for i in range(600))
    drawer = OverlayDrawer(96, 128, replace(prediction(names), segments=hour))
    to, colours = drawer.layout, colour_of(names)
    for seconds, label in ((5.0, 0), (400.0, 1), (750.0, 2), (3599.0, 0), (5.0, 0), (-1.0, 0), (4000.0, 0)):
        image = drawer.draw(np.zeros((96, 128, 3), np.uint8), seconds)
        row = image[to.strips_top + to.strip_height - 1, to.strip_left : to.strip_left + to.strip_width]
        shown = {name for name, colour in colours.items() if (row == colour).all(-1).sum() > 9}
        assert shown == {names[label]}


@pytest.fixture
def half() -> ObjectActions:
    """The scene lasts for 5.5 s; somebody is judged in the windows of its first 2.5 s."""
    found = object_actions()
    return replace(found, tracks={0: prediction(windows=2)}, attention={0: np.ones(2)}, short_tracks={})


def test_of_times_without_anybody_the_scene_says_nothing(half: ObjectActions) -> None:
    scene = judged_scene(half)
    assert scene.segments[-1].end_seconds == 2.5
    assert np.isfinite(scene.window_probabilities).all(1).tolist() == [True] * 2 + [False] * 6
    assert np.isfinite(probabilities_at(scene, 1.9)).all(), "between a window with and one without somebody"
    assert nobody(half) == ""
    drawer, to = ObjectActionDrawer(400, 600, table({}), half), None
    to = drawer.layout
    bars = slice(to.bars_top, to.bars_top + 3 * to.unit), slice(to.bars_left, to.width)
    early, late = drawer.draw(frame(10))[bars], drawer.draw(frame(40))[bars]
    for colour in colour_of(half.labels).values():
        assert not (late == colour).all(-1).any()
    assert any((early == c).all(-1).any() for c in colour_of(half.labels).values())


def test_nobody_found_is_said_everywhere(
    half: ObjectActions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = replace(half, tracks={}, attention={})
    scene = {**empty.scene.produced_by, "random_weights": False}
    empty = replace(empty, scene=replace(empty.scene, produced_by=scene))
    assert list(ObjectActionTask().told(empty)) == [empty.video, "  nobody found"]
    short = replace(empty, short_tracks={4: 0.2})
    assert "  nobody seen for long enough" in list(ObjectActionTask().told(short))
    write_object_actions_json(empty, tmp_path / "p.json")
    assert json.loads((tmp_path / "p.json").read_text())["remark"] == "nobody found"
    written: list[str] = []
    from vidlstm.render.draw import action_overlay

    draw = action_overlay.draw_text
    monkeypatch.setattr(
        action_overlay,
        "draw_text",
        lambda image, text, *a, **k: (written.append(text), draw(image, text, *a, **k)),
    )
    ObjectActionDrawer(400, 600, table({}), empty).draw(frame(5))
    assert "nobody found" in written and not any("over" in text for text in written)
    object_timeline.plot_object_timelines(empty, tmp_path / "t.png")
    for label, colour in colour_of(empty.labels).items():
        assert share_of(pixels(tmp_path / "t.png"), colour) < 1e-3, f"{label} only in the legend"
