"""What each stage of a machine costs, as bars beside the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidlstm.render.palette import class_colours
from vidlstm.render.plot.canvas import picture_file, rgb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def plot_costs(rows: Sequence[tuple[str, str, float]], limit: float, path: str | Path) -> None:
    """Draws frames a second, a bar a stage, and the limit of all together as a line, into a PNG file.

    Args:
        rows: stage, how it was done, and its frames a second, from top to bottom.
        limit: frames a second.
        path: the PNG file.

    Raises:
        OutputError: the file cannot be written.
    """
    stages = list(dict.fromkeys(stage for stage, _, _ in rows))
    colours = dict(zip(stages, class_colours(len(stages)), strict=True))
    with picture_file(path, 8.0, 1.2 + 0.36 * len(rows), 110) as figure:
        axes = figure.subplots()
        axes.barh(
            range(len(rows)), [rate for *_, rate in rows], color=[rgb(colours[stage]) for stage, *_ in rows]
        )
        for row, (*_, rate) in enumerate(rows):
            axes.text(rate, row, f" {rate:,.0f}", va="center", fontsize=9)
        axes.axvline(limit, color="black", lw=1.2, ls="--")
        axes.text(limit, -0.75, f"limit {limit:,.0f}", ha="center", va="bottom", fontsize=9)
        axes.set_yticks(range(len(rows)), [f"{stage}: {how}" for stage, how, _ in rows])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
        axes.margins(x=0.12)
        axes.set_xlabel("frames a second that become features")
