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

from vidlstm.render.files import atomic
from vidlstm.render.lettering import ELLIPSIS, one_line
from vidlstm.render.moments import time_span
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
def _figure(path: str | Path, width: float, height: float, dpi: int) -> Iterator[Figure]:
    """A figure that is saved to ``path`` at the end. Its style does not depend on the user's matplotlibrc."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as a box, which will do
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with atomic(path) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})


def _short(text: str, letters: int = 24) -> str:
    line = one_line(text)
    return line if len(line) <= letters else line[: letters - 1].rstrip() + ELLIPSIS


def _rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
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
    with _figure(path, 11.0, 3.6 + 0.55 * strips, 110) as figure:
        curves, bars = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 0.6 * strips])
        _curves(curves, prediction)
        rows = [("predicted", prediction.segments)] + ([("truth", tuple(truth))] if truth is not None else [])
        _strips(bars, prediction, rows, span)
        bars.set_xlim(*span)
        curves.set_title(_short(Path(prediction.video).name or prediction.video, 90), loc="left", fontsize=11)


def _curves(axes: Axes, prediction: ActionPrediction) -> None:
    middles = (prediction.window_start_seconds + prediction.window_end_seconds) / 2
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
        axes.plot(middles, probabilities[:, index], color=_rgb(colours[label]), lw=1.9, marker=marker)
        axes.lines[-1].set_label(_legend_name(label))
    axes.set(ylim=(0, 1.02), ylabel="probability")
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    axes.tick_params(labelbottom=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)


def _legend_name(label: str) -> str:
    # matplotlib leaves names out of a legend that begin with an underscore; a zero-width space keeps them in.
    short = _short(label) or "(empty)"
    return f"\u200b{short}" if short.startswith("_") else short


def _strips(
    axes: Axes,
    prediction: ActionPrediction,
    rows: Sequence[tuple[str, Sequence[Segment]]],
    span: tuple[float, float],
) -> None:
    colours = colour_of(prediction.labels)
    for row, (_, segments) in enumerate(rows):
        for segment in segments:
            length = segment.end_seconds - segment.start_seconds
            colour = colours.get(segment.label, UNKNOWN)
            axes.broken_barh(
                [(segment.start_seconds, length)], (row - 0.4, 0.8), facecolor=_rgb(colour), edgecolor="white"
            )
            letters = int(
                length / (span[1] - span[0]) * 100
            )  # about a hundred small letters fit the whole width
            if letters >= 3:
                ink = "black" if is_bright(colour) else "white"
                middle = segment.start_seconds + length / 2
                text = axes.text(middle, row, _short(segment.label, letters), fontsize=8, color=ink)
                text.set(ha="center", va="center", clip_on=True)
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="seconds")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)


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
    names = [_short(label, 28) or "(empty)" for label in labels]
    side = min(max(3.2, 0.62 * size), 8.0 + 0.12 * size, 24.0)
    edge = 1.3 + 0.075 * max(map(len, names)) * min(1.0, 30 / size)
    with _figure(path, side + edge + 0.9, side + edge, 120 if size <= 60 else 150) as figure:
        axes = figure.subplots()
        picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        bar = figure.colorbar(picture, ax=axes, shrink=0.7, pad=0.02)
        bar.set_label("share of the true class")
        bar.outline.set_visible(False)
        _name_cells(axes, names, size)
        if size <= 40:
            _write_counts(axes, counts, shares, min(10.0, side / size * 72 * 0.34))
        accuracy = float(np.trace(counts)) / max(float(counts.sum()), 1.0)
        right = f"accuracy {accuracy:.3f} ({int(np.trace(counts))} of {int(counts.sum())})"
        axes.set_title(_short(title, 120) if title else right, fontsize=11, loc="left")


def _name_cells(axes: Axes, names: Sequence[str], size: int) -> None:
    step = -(-size // 110)  # beyond that many, not every class can be named
    letters = max(4.5, min(10.0, 260 / size))
    axes.set_xticks(range(0, size, step), names[::step], rotation=90 if size > 6 else 30, fontsize=letters)
    if size <= 6:
        for text in axes.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(0, size, step), names[::step], fontsize=letters)
    axes.set(xlabel="predicted", ylabel="true")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(size - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(size - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.0 if size <= 40 else 0.3)
    axes.tick_params(which="minor", length=0)


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray, letters: float) -> None:
    for row, column in np.argwhere(counts > 0):
        ink = "white" if shares[row, column] > 0.55 else "0.15"
        axes.text(
            column, row, f"{counts[row, column]:g}", ha="center", va="center", fontsize=letters, color=ink
        )
