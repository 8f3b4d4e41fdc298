"""The gate picture: read back as pixels; units that behave alike lie beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.render.examples import labels, prediction
from vidlstm.render.moments import time_span
from vidlstm.render.plot.gate_picture import GateCourse, drawn, frame_count, order_of, plot_gates, resampled
from vidlstm.structures import Frame, Segment

TIMES = np.arange(60) / 10


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def course(letters: str, *, units: int = 6, ways: tuple[str, ...] = ("forward",)) -> GateCourse:
    rng = np.random.default_rng(0)
    values = {letter: rng.uniform(size=(60, units)) for letter in letters}
    return GateCourse(TIMES, dict.fromkeys(ways, values), rng.normal(size=60))


@pytest.mark.parametrize(
    ("letters", "expected"),
    [("ifgoch", "fioc"), ("rznh", "rzh"), ("h", "h"), ("igoch", "ioc")],
)
def test_a_cell_without_some_gates_shows_what_it_has(letters: str, expected: str, tmp_path: Path) -> None:
    made = course(letters)
    assert drawn(made.ways["forward"]) == list(expected)
    plot_gates(made, prediction(), [], tmp_path / "g.png")
    assert pixels(tmp_path / "g.png").std() > 5


def test_both_directions_and_a_truth_make_it_taller(tmp_path: Path) -> None:
    said = prediction()
    plot_gates(course("ifgoch"), said, [], tmp_path / "one.png")
    both = course("ifgoch", ways=("forward", "backward"))
    plot_gates(both, said, [], tmp_path / "two.png", truth=[Segment(0, 2, "walk", 1.0)])
    assert pixels(tmp_path / "two.png").shape[0] > pixels(tmp_path / "one.png").shape[0] + 300


def test_the_frames_are_in_it(tmp_path: Path) -> None:
    green = Frame(np.full((40, 50, 3), (0, 255, 0), np.uint8), 0.0, 0)
    plot_gates(course("h"), prediction(), [green] * 4, tmp_path / "g.png")
    share = (np.abs(pixels(tmp_path / "g.png") - np.array([0, 255, 0])).max(-1) <= 2).mean()
    assert share > 0.05


@pytest.mark.parametrize(
    ("steps", "units", "names"),
    [(1, 1, labels(30)), (2, 2, labels(1)), (60, 3, labels(30)), (1500, 4, labels(1))],
    ids=["one", "two", "sixty", "more than pixels"],
)
def test_any_number_of_steps_units_and_labels(
    steps: int, units: int, names: tuple[str, ...], tmp_path: Path
) -> None:
    values = {"c": np.zeros((steps, units)), "f": np.ones((steps, units))}
    made = GateCourse(np.arange(steps) / 10, {"forward": values}, np.zeros(steps))
    plot_gates(made, prediction(names, windows=0), [], tmp_path / "g.png", truth=[])
    assert pixels(tmp_path / "g.png").shape[1] == 1200


def test_units_that_behave_alike_lie_beside_each_other() -> None:
    rng = np.random.default_rng(1)
    two = np.stack([np.sin(TIMES), np.cos(2 * TIMES)], axis=1)
    kind = np.array([0, 1, 0, 1, 1, 0, 1, 0])
    state = two[:, kind] + 0.01 * rng.normal(size=(60, 8))
    order = order_of({"c": state, "h": rng.normal(size=(60, 8))})
    assert sorted(order.tolist()) == list(range(8))
    assert np.abs(np.diff(kind[order])).sum() == 1


def test_a_moment_shows_the_step_it_belongs_to() -> None:
    values = np.arange(4.0)[:, None]
    columns = resampled(np.array([0.0, 0.1, 0.5, 0.6]), values, (0.0, 0.8))[0]
    count = len(columns)
    assert columns[int(0.05 / 0.8 * count)] == 0
    assert columns[int(0.3 / 0.8 * count)] == 1  # a gap in the video: the last step before it stays
    assert columns[int(0.55 / 0.8 * count)] == 2
    assert columns[-1] == 3


def test_wide_frames_are_fewer() -> None:
    assert frame_count(100, 400) < frame_count(100, 100) < frame_count(400, 100)
    assert frame_count(10, 10_000) == 1
    assert time_span(prediction())[0] == 0
