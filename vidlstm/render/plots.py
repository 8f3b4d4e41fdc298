"""Pictures: a prediction's timeline, and a confusion matrix. Without pyplot, so there is no global figure."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from vidlstm.files import atomic
from vidlstm.render.lettering import ELLIPSIS, one_line
from vidlstm.render.moments import time_span, window_middles
from vidlstm.render.palette import UNKNOWN, colour_of, is_bright
from vidlstm.structures import ActionPrediction, Segment

_STYLE: dict[Any, Any] = {
    "text.usetex": False,
    "text.parse_math": False,  # a label may hold dollar signs
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.grid": False,
    "savefig.bbox": None,
}
_LINES = 8  # as many curves as can be told apart; the other classes share one grey band


@contextmanager
def picture_file(
    path: str | Path, width: float, height: float, dpi: int, *, tight: bool = False
) -> Iterator[Figure]:
    """A figure that is saved to ``path`` at the end. Its style does not depend on the user's matplotlibrc."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as a box, which will do
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        figure = Figure(figsize=(width, height), dpi=dpi, layout=None if tight else "constrained")
        FigureCanvasAgg(figure)
        yield figure
        with atomic(path) as temporary:
            figure.savefig(
                temporary, format="png", metadata={"Software": None}, bbox_inches="tight" if tight else None
            )


def short(text: str, letters: int = 24) -> str:
    """One line of at most so many letters."""
    line = one_line(text)
    return line if len(line) <= letters else line[: letters - 1].rstrip() + ELLIPSIS


def rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """The colour as matplotlib takes it."""
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def plot_timeline(
    prediction: ActionPrediction, path: str | Path, truth: Sequence[Segment] | None = None
) -> None:
    """Draws probabilities over time, and the segments under them, into a PNG file.

    Args:
        prediction: what to draw.
        path: the PNG file.
        truth: true segments, for a second strip.

    Raises:
        OutputError: the file cannot be written.
    """
    strips = 2 if truth is not None else 1
    span = time_span(prediction, truth)
    with picture_file(path, 11.0, 3.6 + 0.55 * strips, 110) as figure:
        curves, bars = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 0.6 * strips])
        draw_curves(curves, prediction)
        rows = [("predicted", prediction.segments)] + ([("truth", tuple(truth))] if truth is not None else [])
        draw_strips(bars, prediction, rows, span)
        bars.set_xlim(*span)
        curves.set_title(short(Path(prediction.video).name or prediction.video, 90), loc="left", fontsize=11)


def draw_curves(axes: Axes, prediction: ActionPrediction) -> None:
    """Draws the probabilities of the likeliest classes at the middles of the windows."""
    middles = window_middles(prediction)
    probabilities, colours = prediction.window_probabilities, colour_of(prediction.labels)
    peaks = probabilities.max(axis=0) if len(middles) else np.zeros(len(prediction.labels))
    chosen = sorted(np.argsort(-peaks, kind="stable")[:_LINES].tolist())
    if len(prediction.labels) > len(chosen):
        rest = probabilities.sum(axis=1) - probabilities[:, chosen].sum(axis=1)
        axes.fill_between(
            middles, rest, color="0.88", linewidth=0, label=f"{len(peaks) - len(chosen)} others"
        )
    marker = "o" if len(middles) == 1 else ""
    for index in chosen:
        label = prediction.labels[index]
        axes.plot(middles, probabilities[:, index], color=rgb(colours[label]), lw=1.9, marker=marker)
        axes.lines[-1].set_label(legend_name(label))
    axes.set(ylim=(0, 1.02), ylabel="probability")
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    axes.tick_params(labelbottom=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)


def legend_name(label: str) -> str:
    """The label as it stands in a legend."""
    # matplotlib leaves names out of a legend that begin with an underscore; a zero-width space keeps them in.
    name = short(label) or "(empty)"
    return f"\u200b{name}" if name.startswith("_") else name


def draw_strips(
    axes: Axes,
    prediction: ActionPrediction,
    rows: Sequence[tuple[str, Sequence[Segment]]],
    span: tuple[float, float],
) -> None:
    """Draws rows of segments, each with its name beside it."""
    colours = colour_of(prediction.labels)
    for row, (_, segments) in enumerate(rows):
        for segment in segments:
            length = segment.end_seconds - segment.start_seconds
            colour = colours.get(segment.label, UNKNOWN)
            axes.broken_barh(
                [(segment.start_seconds, length)], (row - 0.4, 0.8), facecolor=rgb(colour), edgecolor="white"
            )
            text = write_label(axes, segment, row, span)
            text.set_color("black" if is_bright(colour) else "white")
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="seconds")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)


def write_label(axes: Axes, segment: Segment, row: float, span: tuple[float, float]) -> Text:
    """Writes the label in the middle of a segment, as much of it as has room there."""
    length = segment.end_seconds - segment.start_seconds
    letters = int(length / (span[1] - span[0]) * 100)  # about a hundred small letters fit the whole width
    label = short(segment.label, letters) if letters >= 3 else ""
    text = axes.text(segment.start_seconds + length / 2, row, label, fontsize=8)
    text.set(ha="center", va="center", clip_on=True)
    return text


def plot_confusion(
    matrix: np.ndarray, labels: Sequence[str], path: str | Path, *, title: str | None = None
) -> None:
    """Draws a confusion matrix into a PNG file: counts as numbers, shares of each true class as colours.

    Args:
        matrix: ``(K, K)`` counts; rows are the true classes, columns the predicted ones.
        labels: the K class names.
        path: the PNG file.
        title: above it; None gives the accuracy.

    Raises:
        OutputError: the file cannot be written.
        ValueError: the matrix does not fit the labels, or holds a negative count.
    """
    counts, size = np.asarray(matrix), len(labels)
    if counts.shape != (size, size) or size == 0 or (counts < 0).any():
        raise ValueError(
            f"counts ({size}, {size}), none negative, expected for {size} labels, not {counts.shape}"
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    names = [short(label, 28) or "(empty)" for label in labels]
    side = min(max(3.2, 0.62 * size), 8.0 + 0.1 * size, 18.0)
    # The matrix fills the figure, and saving it "tight" adds what the names need, however long they are.
    with picture_file(path, side, side, 120 if size <= 60 else 150, tight=True) as figure:
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        beside = figure.add_axes((1.0 + 0.25 / side, 0.15, 0.2 / side, 0.7))
        figure.colorbar(picture, cax=beside).outline.set_visible(False)
        beside.set_ylabel("share of the true class", fontsize=max(10.0, 0.8 * side))
        beside.tick_params(labelsize=max(10.0, 0.8 * side))
        _name_cells(axes, names, side)
        if size <= 40:
            _write_counts(axes, counts, shares, min(10.0, side / size * 72 * 0.34))
        accuracy = float(np.trace(counts)) / max(float(counts.sum()), 1.0)
        right = f"accuracy {accuracy:.3f} ({int(np.trace(counts))} of {int(counts.sum())})"
        axes.set_title(short(title, 120) if title else right, fontsize=max(11.0, side), loc="left")


def _name_cells(axes: Axes, names: Sequence[str], side: float) -> None:
    size = len(names)
    step = -(-size // 110)  # beyond that many, not every class can be named
    letters = max(4.5, min(10.0, side * 72 / size * step * 0.6))
    axes.set_xticks(range(0, size, step), names[::step], rotation=90 if size > 6 else 30, fontsize=letters)
    if size <= 6:
        for text in axes.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(0, size, step), names[::step], fontsize=letters)
    axes.set_xlabel("predicted", fontsize=max(10.0, side))
    axes.set_ylabel("true", fontsize=max(10.0, side))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if size <= 40:
        between = np.arange(size - 1) + 0.5
        axes.hlines(between, -0.5, size - 0.5, color="white", linewidth=1.0)
        axes.vlines(between, -0.5, size - 0.5, color="white", linewidth=1.0)


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray, letters: float) -> None:
    for row, column in np.argwhere(counts > 0):
        ink = "white" if shares[row, column] > 0.55 else "0.15"
        axes.text(
            column, row, f"{counts[row, column]:g}", ha="center", va="center", fontsize=letters, color=ink
        )
