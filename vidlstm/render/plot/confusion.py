"""A confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from vidlstm.render.plot.canvas import picture_file
from vidlstm.render.words import short


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
