"""What each object does, at its box, in rows over time, and in tables."""

from __future__ import annotations

import csv
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.render.examples import HOSTILE, labels, object_actions, prediction, same, same_actions
from tests.render.test_overlay import near, read
from tests.render.test_plots import pixels, share_of
from vidlstm.errors import OutputError, VideoError
from vidlstm.render.draw.object_overlay import ObjectActionDrawer, draw_object_actions, tag_text
from vidlstm.render.draw.strokes import plate_of, tag_height
from vidlstm.render.palette import UNKNOWN, Colour, colour_of
from vidlstm.render.plot.object_timeline import ROWS, most_attended, plot_object_timelines, remarks
from vidlstm.render.table.action_tables import SCHEMA, read_prediction_json, write_prediction_json
from vidlstm.render.table.object_tables import (
    read_object_actions_json,
    write_object_actions_csv,
    write_object_actions_json,
)
from vidlstm.structures import Frame, ObjectActions, Segment

FORMULAS = ('=HYPERLINK("http://x")', "+1+1", "@SUM(A1)", "-2", "|cmd")
HEIGHT, WIDTH = 400, 600  # not enlarged


def table(boxes: dict[int, tuple[float, float, float, float]], frames: int = 60) -> polars.DataFrame:
    """Boxes that stand still, ten frames a second."""
    rows = [
        ("clip.avi", f, f / 10, track, "person", 0.9, *map(float, box))
        for f in range(frames)
        for track, box in boxes.items()
    ]
    columns = [
        "video",
        "frame",
        "timestamp_seconds",
        "track_id",
        "class",
        "confidence",
        "x1",
        "y1",
        "x2",
        "y2",
    ]
    kinds = [polars.String, polars.Int64, polars.Float64, polars.Int64, polars.String, *[polars.Float64] * 5]
    return polars.DataFrame(rows, schema=dict(zip(columns, kinds, strict=True)), orient="row")


def frame(index: int, height: int = HEIGHT, width: int = WIDTH) -> Frame:
    return Frame(np.full((height, width, 3), 90, np.uint8), index / 10, index)


def line_width(image: np.ndarray, x: float, y: float, colour: Colour) -> int:
    """How many pixels of this colour, but for smoothed edges, lie in a row around a place."""
    return int(near(image[round(y), max(0, round(x) - 9) : round(x) + 10], colour, within=25).sum())


BOXES = {0: (60, 60, 180, 330), 1: (240, 60, 360, 330), 2: (420, 60, 540, 330)}


@pytest.fixture
def actions() -> ObjectActions:
    """sit_down, walk and sit_down again over 5.5 s; the same in another order for track 1; equal shares."""
    found = object_actions()
    segments = tuple(
        replace(s, label={"sit_down": "walk", "walk": "stand_up"}[s.label]) for s in found.tracks[1].segments
    )
    found.tracks[1] = replace(found.tracks[1], segments=segments)
    return replace(found, attention={track: np.full(8, 1 / 3) for track in range(3)})


def test_a_box_has_the_colour_of_its_action_at_that_time(actions: ObjectActions) -> None:
    colours = colour_of(actions.labels)
    drawer = ObjectActionDrawer(HEIGHT, WIDTH, table(BOXES), actions)
    expected = {
        10: ("sit_down", "walk"),
        18: ("sit_down", "walk"),
        19: ("walk", "stand_up"),
        36: ("walk", "stand_up"),
        37: ("sit_down", "walk"),
    }
    for index, said in expected.items():
        image = drawer.draw(frame(index))
        for track, label in enumerate(said):
            found = {n for n, c in colours.items() if line_width(image, BOXES[track][0], 200, c) > 0}
            assert found == {label}, f"track {track} in frame {index}"


def test_the_scene_stands_under_the_picture(actions: ObjectActions) -> None:
    drawer = ObjectActionDrawer(
        HEIGHT, WIDTH, table(BOXES), actions, truth=[Segment(0, 5.5, "stand_up", 1.0)]
    )
    to, colours = drawer.layout, colour_of(actions.labels)
    for index, label in ((10, "sit_down"), (25, "walk")):
        image = drawer.draw(frame(index))
        assert tuple(image[to.bars_top + to.unit, to.margin + 1]) == colours[label]
    assert to.strips == 2
    assert (image[HEIGHT - 5 : HEIGHT] == 90).all(), "nothing is drawn where no box is"


def test_who_decides_the_scene_has_the_thicker_line(actions: ObjectActions) -> None:
    rising = np.linspace(0.1, 0.9, 8)
    moving = replace(actions, attention={0: rising, 1: 1 - rising, 2: 0 * rising})
    drawer = ObjectActionDrawer(HEIGHT, WIDTH, table(BOXES), moving)
    colours = colour_of(actions.labels)
    early, late = drawer.draw(frame(10)), drawer.draw(frame(50))
    widths = [
        [line_width(image, BOXES[track][0], 200, colours[label]) for image in (early, late)]
        for track, label in ((0, "sit_down"), (1, "walk"), (2, "sit_down"))
    ]
    assert widths[0][0] < widths[0][1]
    assert widths[1][0] > widths[1][1]
    assert widths[2][0] == widths[2][1] == min(map(min, widths)) > 0
    assert early[200, 300, 1] > late[200, 300, 1] + 5 > 95, "green: its inside is tinted, too"


def test_what_is_not_judged_is_thin_and_grey(actions: ObjectActions) -> None:
    late = replace(actions, tracks=actions.tracks | {2: prediction(start=3.0)}, short_tracks={9: 0.4})
    boxes = BOXES | {9: (560, 60, 590, 330)}
    drawer = ObjectActionDrawer(HEIGHT, WIDTH, table(boxes), late)
    before, after = drawer.draw(frame(29)), drawer.draw(frame(30))
    for image, track in ((before, 2), (before, 9), (after, 9)):
        assert line_width(image, boxes[track][0], 200, UNKNOWN) == 1
    assert line_width(after, boxes[2][0], 200, UNKNOWN) == 0
    assert line_width(after, boxes[2][0], 200, colour_of(actions.labels)["sit_down"]) > 1
    moments = {m.track_id: m for m in drawer.moments(frame(29))}
    assert {t for t, m in moments.items() if m.label is None} == {2, 9}
    assert tag_text(before, moments[9]) == "9"


def test_a_tag_says_number_label_and_probability(actions: ObjectActions) -> None:
    drawer = ObjectActionDrawer(HEIGHT, WIDTH, table(BOXES), actions)
    moment = {m.track_id: m for m in drawer.moments(frame(10))}[1]  # the middle of the first window
    share = actions.tracks[1].window_probabilities[0, actions.labels.index("walk")]
    assert tag_text(drawer.draw(frame(10)), moment) == f"1 walk {share:.2f}"


def test_labels_follow_the_numbers_not_the_order(actions: ObjectActions) -> None:
    """Rows in another order change nothing; numbers given in another way move the labels with them."""
    shuffled = table(BOXES).sample(fraction=1.0, shuffle=True, seed=3)
    drawn, other = (
        ObjectActionDrawer(HEIGHT, WIDTH, t, actions).draw(frame(25)) for t in (table(BOXES), shuffled)
    )
    np.testing.assert_array_equal(drawn, other)
    to = {0: 12, 1: 10, 2: 11}
    renumbered = table({to[t]: box for t, box in BOXES.items()})
    moved = replace(
        actions,
        tracks={to[t]: p for t, p in actions.tracks.items()},
        attention={to[t]: a for t, a in actions.attention.items()},
    )
    said = [
        {tuple(m.box_4): (m.label, m.probability, m.share) for m in drawer.moments(frame(25))}
        for drawer in (
            ObjectActionDrawer(HEIGHT, WIDTH, table(BOXES), actions),
            ObjectActionDrawer(HEIGHT, WIDTH, renumbered, moved),
        )
    ]
    assert said[0] == said[1]
    assert len({label for label, _, _ in said[0].values()}) == 2


def test_boxes_are_scaled_with_a_small_frame(actions: ObjectActions) -> None:
    drawer = ObjectActionDrawer(48, 64, table({0: (16, 12, 48, 36)}), actions)
    image = drawer.draw(frame(10, 48, 64))
    to = drawer.layout
    assert to.video_height == 360
    x = to.video_left + 16 * to.video_width / 64
    assert line_width(image, x, 200, colour_of(actions.labels)["sit_down"]) > 0


@given(
    text=st.text(max_size=20),
    left=st.floats(-1e6, 1e6),
    bottom=st.floats(-1e6, 1e6),
    size=st.tuples(st.integers(240, 1200), st.integers(300, 2000)),
)
def test_tags_stay_in_the_frame(text: str, left: float, bottom: float, size: tuple[int, int]) -> None:
    image = np.broadcast_to(np.uint8(0), (*size, 3))
    x1, y1, x2, y2 = plate_of(image, text, left, bottom)
    assert 0 <= x1 < x2 and 0 <= y1 < y2 <= size[0]
    assert y2 - y1 == tag_height(size[0])
    assert x2 <= size[1] or x1 == 0


@pytest.mark.parametrize("label", HOSTILE)
@pytest.mark.parametrize("size", [(48, 64), (360, 202), (1080, 1920)])
def test_a_long_label_leaves_room_for_the_figures(label: str, size: tuple[int, int]) -> None:
    said = object_actions((label, "other"), tracks=1)
    drawer = ObjectActionDrawer(*size, table({0: (1, 1, 30, 30)}), said)
    moment = drawer.moments(frame(3, *size))[0]
    image = np.zeros((drawer.layout.video_height, drawer.layout.video_width, 3), np.uint8)
    text = tag_text(image, moment)
    assert text.startswith("0 ") and text.endswith(f" {moment.probability:.2f}")
    assert plate_of(image, text, 1e6, 50)[2] <= image.shape[1]


def test_tags_do_not_cover_each_other(actions: ObjectActions) -> None:
    """Three objects at the same place: three plates, each of the colour of its object."""
    place = (200, 200, 290, 320)
    drawer = ObjectActionDrawer(HEIGHT, WIDTH, table(dict.fromkeys(range(3), place)), actions)
    drawn = drawer.draw(frame(10))[:HEIGHT]
    alone = ObjectActionDrawer(HEIGHT, WIDTH, table({1: place}), actions).draw(frame(10))[:HEIGHT]
    walk = np.array(colour_of(actions.labels)["walk"])
    plate = slice(200 - tag_height(HEIGHT) - 1, 198)
    assert (alone[plate] == walk).all(-1).sum() > 500
    covered = (drawn == walk).all(-1)
    assert covered.sum() > 500, "the plate of track 1 is somewhere"


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (17, 33), (240, 320)])
def test_hundreds_of_objects_anywhere(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(-40, 340, (300, 4))
    corners[:4] = [[np.nan] * 4, [np.inf, 0, 1, 1], [0, 0, 0, 0], [-1e9, -1e9, 1e9, 1e9]]
    boxes = {t: tuple(map(float, box)) for t, box in enumerate(corners)}
    drawer = ObjectActionDrawer(*size, table(boxes, frames=2), object_actions(HOSTILE, tracks=250))
    image = drawer.draw(frame(1, *size))
    assert image.shape == (drawer.layout.height, drawer.layout.width, 3)
    assert len(drawer.moments(frame(1, *size))) == 298


@pytest.mark.parametrize("windows", [0, 8])
def test_no_object_at_all_leaves_the_scene(windows: int) -> None:
    for said in (object_actions(tracks=0, windows=windows), object_actions(scene=False)):
        drawer = ObjectActionDrawer(HEIGHT, WIDTH, table({}), said)
        assert (drawer.draw(frame(5))[:HEIGHT] == 90).all()


def test_the_video_has_every_frame_at_its_time(actions: ObjectActions, tmp_path: Path) -> None:
    frames = [replace(frame(i), timestamp_seconds=i / 10 + 0.02 * (i % 2)) for i in range(12)]
    frames.append(frame(12, 100, 90))  # of another size: it is scaled
    seen: list[int] = []
    path = tmp_path / "o.mp4"
    assert draw_object_actions(frames, table(BOXES), actions, path, fps=10.0, progress=seen.append) == 13
    images, times = read(path)
    to = ObjectActionDrawer(HEIGHT, WIDTH, table(BOXES), actions).layout
    assert seen == list(range(1, 14))
    assert images.shape == (13, to.height, to.width, 3)
    np.testing.assert_allclose(times, [f.timestamp_seconds for f in frames], atol=1e-3)
    with pytest.raises(VideoError, match=r"clip\.avi"):
        draw_object_actions([], table(BOXES), actions, tmp_path / "none.mp4", fps=10.0)
    assert list(tmp_path.iterdir()) == [path]


def test_rows_show_the_segments_of_tracks(tmp_path: Path) -> None:
    said = object_actions(tracks=6, scene=False)
    colours = colour_of(said.labels)
    full = replace(said, attention={t: np.full(8, 1 / 6) for t in range(6)})
    plot_object_timelines(full, tmp_path / "t.png")
    equal = pixels(tmp_path / "t.png")
    ratio = share_of(equal, colours["sit_down"]) / share_of(equal, colours["walk"])
    assert 1.6 < ratio < 2.4, "two thirds of the time against one"
    one = replace(said, attention={t: np.full(8, float(t == 0)) for t in range(6)})
    plot_object_timelines(one, tmp_path / "t.png")
    pale = pixels(tmp_path / "t.png")
    assert share_of(pale, colours["sit_down"]) < 0.5 * share_of(equal, colours["sit_down"])


@pytest.mark.parametrize(
    ("tracks", "windows", "names"),
    [
        (0, 0, labels(1)),
        (0, 5, HOSTILE),
        (1, 1, labels(60)),
        (3, 5, labels(12)),
        (3, 5, HOSTILE),
        (3, 0, labels(60)),
        (60, 2, labels(1)),
        (60, 2, HOSTILE),
    ],
)
def test_timelines_of_any_tracks(tracks: int, windows: int, names: tuple[str, ...], tmp_path: Path) -> None:
    said = object_actions(names, tracks=tracks, windows=windows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "no font of this machine")
        plot_object_timelines(said, tmp_path / "t.png", [Segment(0.0, 1.0, "$_unknown", 1.0)])
    assert pixels(tmp_path / "t.png").std() > 5
    assert max(pixels(tmp_path / "t.png").shape) < 2500


def test_the_most_attended_are_shown_in_order_of_time_and_the_others_counted() -> None:
    said = object_actions(tracks=60)
    late = replace(
        said,
        tracks=said.tracks | {7: prediction(start=-3.0), 50: prediction(start=9.0)},
        attention={t: np.full(8, 0.2 if t in (7, 50) else 0.01 * (t % 2)) for t in range(60)},
        short_tracks=dict.fromkeys(range(100, 120), 0.25),
    )
    shown = most_attended(late, ROWS)
    assert len(shown) == ROWS < 60
    assert shown[0] == 7 and shown[-1] == 50
    assert {t for t in range(60) if t % 2} < set(shown)
    text = remarks(late, len(shown))
    assert f"{60 - ROWS} more tracks" in text
    assert "100 (0.2 s)" in text and "12 more" in text
    assert "not shown" not in remarks(object_actions(), 3)


@pytest.mark.parametrize("windows", [0, 1, 8])
@pytest.mark.parametrize("tracks", [0, 1, 3])
@pytest.mark.parametrize("names", [("only",), ("a", "b", "c"), HOSTILE], ids=["one", "three", "hostile"])
def test_json_reads_back_equal(names: tuple[str, ...], tracks: int, windows: int, tmp_path: Path) -> None:
    said = object_actions(names, tracks=tracks, windows=windows)
    write_object_actions_json(said, tmp_path / "p.json")
    assert same_actions(read_object_actions_json(tmp_path / "p.json"), said)
    assert same(read_prediction_json(tmp_path / "p.json"), said.scene), (
        "readers of whole videos see the scene"
    )


def test_equality_of_examples_can_fail() -> None:
    said, other = object_actions(), object_actions()
    assert same_actions(said, other)
    other.attention[1][3] += 1e-9
    assert not same_actions(said, other)


def test_json_has_a_line_for_each_window_of_each_track(tmp_path: Path) -> None:
    write_object_actions_json(object_actions(tracks=4, windows=30), tmp_path / "p.json")
    lines = (tmp_path / "p.json").read_text().splitlines()
    assert sum('"attention"' in line for line in lines) == 4 * 30
    assert max(map(len, lines)) < 300


def test_json_is_as_documented(tmp_path: Path) -> None:
    """The keys of the file are those of the example and the table in docs/predictions.md."""
    write_object_actions_json(object_actions(), tmp_path / "p.json")
    record = json.loads((tmp_path / "p.json").read_text())
    document = (Path(__file__).parents[2] / "docs" / "predictions.md").read_text(encoding="utf-8")
    section = document.split("## Actions of each object")[1]
    example = json.loads(section.split("```json\n")[1].split("```")[0])
    whole = json.loads(document.split("```json\n")[1].split("```")[0])
    assert list(record) == list(whole) + list(example)
    assert "`remark`" in section
    for key in ("tracks", "short_tracks"):
        assert list(record[key][0]) == list(example[key][0])
        assert all(f"`{key}[].{name}`" in section for name in example[key][0])
    for key in ("segments", "windows"):
        assert list(record["tracks"][0][key][0]) == list(example["tracks"][0][key][0])
    assert "track_id,start_seconds,end_seconds,label,probability" in section


def test_other_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    write_prediction_json(prediction(), tmp_path / "scene.json")
    with pytest.raises(OutputError, match=r"scene\.json.*tracks"):
        read_object_actions_json(tmp_path / "scene.json")
    write_object_actions_json(object_actions(), tmp_path / "p.json")
    record = json.loads((tmp_path / "p.json").read_text())
    for key in ("attention", "probabilities"):
        broken = json.loads(json.dumps(record))
        del broken["tracks"][1]["windows"][0][key]
        (tmp_path / "broken.json").write_text(json.dumps(broken))
        with pytest.raises(OutputError, match=f"does not follow {SCHEMA}"):
            read_object_actions_json(tmp_path / "broken.json")


def test_a_share_that_is_not_known_is_null_and_reads_back(tmp_path: Path) -> None:
    said = object_actions()
    said.attention[1][0] = np.nan
    write_object_actions_json(replace(said, short_tracks={9: float("nan")}), tmp_path / "p.json")
    record = json.loads((tmp_path / "p.json").read_text(), parse_constant=pytest.fail)
    assert record["tracks"][1]["windows"][0]["attention"] is record["short_tracks"][0]["seconds"] is None
    found = read_object_actions_json(tmp_path / "p.json")
    np.testing.assert_array_equal(found.attention[1], said.attention[1])
    assert np.isnan(found.short_tracks[9])


@pytest.mark.parametrize("names", [("a", "b"), HOSTILE[:-1], FORMULAS], ids=["plain", "hostile", "formulas"])
def test_csv_has_a_row_a_segment_of_scene_and_tracks(names: tuple[str, ...], tmp_path: Path) -> None:
    said = object_actions(names, tracks=3)
    write_object_actions_csv(said, tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["track_id", "start_seconds", "end_seconds", "label", "probability"]
    expected = {"": said.scene.segments} | {str(t): p.segments for t, p in said.tracks.items()}
    for track, segments in expected.items():
        found = [
            Segment(float(r["start_seconds"]), float(r["end_seconds"]), r["label"], float(r["probability"]))
            for r in rows
            if r["track_id"] == track
        ]
        assert tuple(found) == segments
    assert [r["track_id"] for r in rows] == [t for t, s in expected.items() for _ in s]
