"""The vanishing gradient as a picture: norm against lag, a line a network, on a logarithmic scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vidlstm.render.palette import class_colours
from vidlstm.render.plot.canvas import picture_file, rgb
from vidlstm.render.words import short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FLOOR = 1e-16
"""Below this share of the largest value nothing is drawn: next to 1, float64 would not see it."""


def plot_lag_gradients(
    fresh: Mapping[str, np.ndarray], path: str | Path, *, others: Mapping[str, np.ndarray] | None = None
) -> None:
    """Draws norms by lag into a PNG file.

    Args:
        fresh: by cell, ``(T,)``: entry l belongs to lag l.
        path: the PNG file.
        others: further networks, drawn in black: the first solid, the others dotted.

    Raises:
        OutputError: the file cannot be written.
    """
    others = others or {}
    lines = {**fresh, **others}
    with picture_file(path, 9.0, 5.4, 110) as figure:
        axes = figure.subplots()
        for number, (name, norms) in enumerate(fresh.items()):
            # Every second line is broken and on top: of two that lie on each other, both are seen.
            style = (0, (5, 3)) if number % 2 else "-"
            colour = rgb(class_colours(len(fresh))[number])
            axes.plot(norms, color=colour, lw=1.9, ls=style, zorder=2 + number % 2)
            axes.lines[-1].set_label(short(name, 40))
        for number, (name, norms) in enumerate(others.items()):
            axes.plot(norms, color="black", lw=2.0, ls=":" if number else "-", label=short(name, 40))
        largest = max(float(np.max(norms)) for norms in lines.values())
        lowest = min(float(np.min(norms)) for norms in lines.values())
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, position: f"{value:.0e}")
        axes.set_ylim(max(lowest, FLOOR * largest, 1e-300) / 2, 3 * largest)
        axes.set_xlim(0, max(map(len, lines.values())) - 1)
        axes.set(xlabel="lag T - t, steps", ylabel="|| d output(T) / d input(t) ||")
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
