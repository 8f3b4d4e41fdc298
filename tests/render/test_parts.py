"""Palette, letters, moments, layout: the arithmetic below the pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.render.examples import HOSTILE, prediction
from vidlstm.render.draw.layout import SMALLEST_HEIGHT, lay_out
from vidlstm.render.draw.lettering import draw_text, elide, text_width
from vidlstm.render.moments import (
    attention_at,
    clock,
    probabilities_at,
    segment_at,
    side_by_side,
    strips_of,
    time_span,
)
from vidlstm.render.palette import class_colours, colour_of
from vidlstm.render.words import one_line
from vidlstm.structures import Segment


def test_twelve_classes_are_told_apart_and_more_repeat_only_in_another_shade() -> None:
    twelve = np.array(class_colours(12), float)
    apart = np.linalg.norm(twelve[:, None] - twelve[None], axis=-1) + 999 * np.eye(12)
    assert apart.min() > 60
    assert len(set(class_colours(60))) == 60
    assert len(class_colours(400)) == 400
    assert class_colours(400)[:5] == class_colours(5), "a class keeps its colour when others are added"
    assert all(0 <= c <= 255 for colour in class_colours(400) for c in colour)


def test_colours_follow_labels() -> None:
    assert colour_of(("a", "b"))["b"] == class_colours(2)[1]


@given(text=st.text(max_size=60), width=st.integers(0, 300), size=st.integers(9, 30))
def test_elided_text_fits(text: str, width: int, size: int) -> None:
    short = elide(text, size, width)
    assert short == "" or text_width(short, size) <= width
    if text_width(text, size) <= width:
        assert short == one_line(text)


def test_eliding_keeps_as_much_as_fits() -> None:
    short = elide("abcdefghijklmnopqrstuvwxyz", 12, 80)
    assert short.endswith("…")
    assert text_width(short[:-1] + "m…", 12) > 80 - text_width("m", 12)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", [(-30, -5), (5, 10), (195, 38), (400, 400)])
def test_any_text_can_be_drawn_anywhere(text: str, place: tuple[int, int]) -> None:
    image = np.zeros((40, 200, 3), np.uint8)
    draw_text(image, text, *place, size=14, colour=(255, 255, 255))
    assert (image.max() > 0) == (place == (5, 10) and bool(text)) or place != (5, 10)


def test_text_stands_where_it_was_put() -> None:
    for align, columns in {"left": (100, 200), "right": (0, 101), "centre": (60, 140)}.items():
        image = np.zeros((40, 200, 3), np.uint8)
        draw_text(image, "Hilly", 100, 20, size=14, colour=(200, 10, 10), align=align)
        rows, lit = np.nonzero(image[..., 0])
        assert columns[0] <= lit.min() and lit.max() <= columns[1]
        assert abs((rows.min() + rows.max()) / 2 - 20) < 5
        assert image[..., 0].max() == 200 and image[..., 1].max() <= 10


def test_probabilities_go_straight_between_the_middles_of_windows() -> None:
    said = prediction(windows=3)  # middles at 1.0, 1.5 and 2.0
    p = said.window_probabilities
    np.testing.assert_allclose(probabilities_at(said, -5.0), p[0])
    np.testing.assert_allclose(probabilities_at(said, 1.0), p[0])
    np.testing.assert_allclose(probabilities_at(said, 1.25), (p[0] + p[1]) / 2)
    np.testing.assert_allclose(probabilities_at(said, 1.9), 0.2 * p[1] + 0.8 * p[2])
    np.testing.assert_allclose(probabilities_at(said, 99.0), p[2])
    assert not probabilities_at(prediction(windows=0), 1.0).any()


def test_attention_goes_straight_between_the_middles_of_windows() -> None:
    said, shares = prediction(windows=3), np.array([0.2, 0.6, 0.4])  # middles at 1.0, 1.5 and 2.0
    times = np.array([-5.0, 1.0, 1.25, 1.9, 99.0])
    np.testing.assert_allclose(attention_at(said, shares, times), [0.2, 0.2, 0.4, 0.44, 0.4])
    assert float(attention_at(said, shares, 1.25)) == pytest.approx(0.4)
    assert not attention_at(prediction(windows=0), np.zeros(0), times).any()


def test_the_later_of_two_touching_segments_holds_their_border() -> None:
    a, b = Segment(0, 1, "a", 1.0), Segment(1, 2, "b", 1.0)
    assert segment_at([a, b], 0.5) is a
    assert segment_at([a, b], 1.0) is b
    assert segment_at([a, b], 2.0) is b
    assert segment_at([a, b], 2.1) is None
    assert segment_at([], 0.0) is None


def test_the_span_covers_windows_and_truth_and_is_never_empty() -> None:
    said = prediction(start=8.0)
    assert time_span(said) == (8.0, 13.5)
    assert time_span(said, [Segment(7.0, 20.0, "x", 1.0)]) == (7.0, 20.0)
    start, end = time_span(prediction(windows=0))
    assert end > start


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1:00.0"),
        (245, "4:05.0"),
        (3845.2, "1:04:05"),
        (-0.01, "0.0 s"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from("abc")), max_size=12).map(
        sorted
    )
)
def test_segments_that_overlap_stand_beside_each_other(drawn: list[tuple[int, int, str]]) -> None:
    segments = [Segment(start, start + length, label, 1.0) for start, length, label in drawn]
    rows = side_by_side(segments, most=12)
    assert sorted(s.start_seconds for row in rows for s in row) == [s.start_seconds for s in segments]
    for row in rows:
        assert all(a.end_seconds <= b.start_seconds for a, b in pairwise(row))
    at_once = max((sum(s.start_seconds <= t < s.end_seconds for s in segments) for t in range(40)), default=0)
    assert len(rows) == max(1, at_once), "no more rows than are needed"
    assert max((len(row) for row in side_by_side(segments, most=1)), default=0) == len(segments)


def test_a_label_goes_on_in_its_row_and_the_first_row_has_the_name() -> None:
    times = [(0, 4, "a"), (1, 3, "b"), (5, 8, "b"), (6, 9, "a")]
    strips = strips_of([Segment(*at, 1.0) for at in times], [])
    assert [(name, [s.label for s in row]) for name, row in strips] == [
        ("predicted", ["a", "a"]),
        ("", ["b", "b"]),
        ("truth", []),
    ]


@given(
    height=st.integers(16, 2200),
    width=st.integers(16, 4000),
    classes=st.integers(1, 400),
    truth=st.booleans(),
)
def test_everything_has_room(height: int, width: int, classes: int, truth: bool) -> None:
    to = lay_out(height, width, classes=classes, strips=1 + truth)
    assert to.width % 2 == 0 and to.height % 2 == 0
    assert to.video_width >= width - 1 and to.video_height >= height - 1, "a video is never made smaller"
    assert to.video_left >= 0 and to.video_left + to.video_width <= to.width
    assert to.bars_top >= to.video_height, "the panel hides nothing of the video"
    assert to.strips_top > to.bars_top + to.bars * to.unit
    assert to.strips_top + to.strips * to.strip_step < to.height
    assert to.strip_width > 10 * to.unit
    assert to.font >= 9
    if width <= 4 * height:
        assert to.video_height >= min(SMALLEST_HEIGHT, height * 1920 / width) - 2
        assert abs(to.video_width / to.video_height - width / height) < 0.06 * width / height
