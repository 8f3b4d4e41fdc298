"""Plots: read back as pixels, with hostile labels, for few and many classes, without touching pyplot."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tests.render.examples import HOSTILE, labels, prediction
from vidlstm.errors import OutputError
from vidlstm.render.palette import colour_of
from vidlstm.render.plot.action_timeline import plot_timeline
from vidlstm.render.plot.confusion import plot_confusion
from vidlstm.render.plot.forecast_paths import plot_error_by_step
from vidlstm.structures import Segment


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def share_of(image: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((np.abs(image - np.array(colour)).max(axis=-1) <= 2).mean())


def test_the_strip_shows_the_segments(tmp_path: Path) -> None:
    said = prediction()
    plot_timeline(said, tmp_path / "t.png")
    plain = pixels(tmp_path / "t.png")
    colours = colour_of(said.labels)
    ratio = share_of(plain, colours["sit_down"]) / share_of(plain, colours["walk"])
    assert 1.6 < ratio < 2.4, "two thirds of the time against one"
    plot_timeline(said, tmp_path / "t.png", [Segment(0, 5.5, "stand_up", 1.0)])
    with_truth = pixels(tmp_path / "t.png")
    assert share_of(with_truth, colours["stand_up"]) > 3 * share_of(plain, colours["stand_up"])
    assert with_truth.shape[0] > plain.shape[0]


@pytest.mark.parametrize(
    ("names", "windows"),
    [
        (labels(1), 0),
        (labels(1), 1),
        (labels(8), 5),
        (labels(9), 1),
        (labels(400), 5),
        (HOSTILE, 0),
        (HOSTILE, 5),
    ],
)
def test_timelines_of_any_prediction(names: tuple[str, ...], windows: int, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "no font of this machine")
        plot_timeline(prediction(names, windows=windows, video="a $ b [x].avi"), tmp_path / "t.png", truth=[])
    assert pixels(tmp_path / "t.png").std() > 5


@pytest.mark.parametrize("size", [2, 30, 41, 400])
def test_confusion_matrices_of_few_and_many_classes(size: int, tmp_path: Path) -> None:
    plot_confusion(np.eye(size, dtype=int) * 7, labels(size), tmp_path / "c.png")
    image = pixels(tmp_path / "c.png")
    assert 300 < image.shape[0] < 4200 and 300 < image.shape[1] < 4200
    dark = (image - np.array((8, 48, 107)))[..., :]  # the deepest of matplotlib's Blues
    assert (np.abs(dark).max(axis=-1) < 12).sum() > 100


def test_colours_are_shares_of_each_true_class(tmp_path: Path) -> None:
    """Ten times as many clips of one class do not make the other's row pale."""
    plot_confusion(np.array([[100, 0], [0, 10]]), ("a", "b"), tmp_path / "even.png", title="t")
    plot_confusion(np.array([[100, 0], [0, 100]]), ("a", "b"), tmp_path / "same.png", title="t")
    even, same = (share_of(pixels(tmp_path / f"{n}.png"), (8, 48, 107)) for n in ("even", "same"))
    assert even == pytest.approx(same, rel=0.02)
    plot_confusion(np.array([[0, 0], [5, 5]]), ("never", "b"), tmp_path / "empty_row.png")
    assert share_of(pixels(tmp_path / "empty_row.png"), (8, 48, 107)) < 0.2 * even


def test_hostile_labels_in_a_confusion_matrix(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "no font of this machine")
        plot_confusion(np.ones((len(HOSTILE),) * 2), HOSTILE, tmp_path / "c.png", title="$\\bad$ [x]")
    assert max(pixels(tmp_path / "c.png").shape) < 4000


@pytest.mark.parametrize(
    ("matrix", "names"),
    [(np.ones((2, 3)), ("a", "b")), (np.array([[1, -1], [0, 0]]), ("a", "b")), (np.ones((0, 0)), ())],
)
def test_a_matrix_that_does_not_fit_is_refused(
    matrix: np.ndarray, names: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="counts"):
        plot_confusion(matrix, names, tmp_path / "c.png")


def test_the_same_picture_again_whatever_the_users_style(tmp_path: Path) -> None:
    def draw(folder: Path) -> list[bytes]:
        plot_timeline(prediction(), folder / "t.png")
        plot_error_by_step({"a $x$": [1.0, 2.0]}, folder / "e.png", seconds_per_step=0.4, unit="metres")
        return [(folder / name).read_bytes() for name in ("t.png", "e.png")]

    before, usual = dict(matplotlib.rcParams), draw(tmp_path / "usual")
    mine = {"font.size": 25, "text.usetex": True, "figure.facecolor": "black", "lines.linewidth": 9}
    with matplotlib.rc_context(mine):
        assert draw(tmp_path / "mine") == usual
    assert dict(matplotlib.rcParams) == before


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        plot_timeline(prediction(), tmp_path / "file" / "t.png")


def test_pyplot_is_never_loaded(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from vidlstm.render.plot.confusion import plot_confusion; "
        f"plot_confusion(np.eye(2), ('a', 'b'), {str(tmp_path / 'c.png')!r}); "
        "assert 'matplotlib.pyplot' not in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "MPLBACKEND": "TkAgg"})
