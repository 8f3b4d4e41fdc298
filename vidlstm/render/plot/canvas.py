"""One way to make a picture file, whatever the user's own style; how labels and colours stand."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import style as styles
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from vidlstm.files import atomic
from vidlstm.render.fonts import OWN, families_for
from vidlstm.render.palette import Colour
from vidlstm.render.words import short

FRAMED: dict[str, Any] = {"font.family": OWN, "text.parse_math": False}
"""Matplotlib's own style; labels are no formulas, for they may hold dollar signs."""
OPEN = FRAMED | {"axes.spines.top": False, "axes.spines.right": False}
"""The same without a frame above and at the right."""
NAMELESS = {"Software": None}
"""No version of matplotlib in the file: the same picture is the same bytes."""


@contextmanager
def picture_file(
    path: str | Path,
    width: float,
    height: float,
    dpi: int,
    *,
    tight: bool = False,
    style: Mapping[str, Any] = OPEN,
) -> Iterator[Figure]:
    """A figure of so many inches that is saved to ``path`` at the end.

    Its style does not depend on the user's matplotlibrc. Tight cuts the picture to what is drawn.

    Raises:
        OutputError: the file cannot be written.
    """
    with styles.context(dict(style), after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # told of once, see fonts.py
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        figure = Figure(figsize=(width, height), dpi=dpi, layout=None if tight else "constrained")
        canvas = FigureCanvasAgg(figure)
        yield figure
        _choose_fonts(figure)
        with atomic(path) as temporary:
            if tight:
                figure.savefig(temporary, format="png", metadata=NAMELESS, bbox_inches="tight")
            else:  # what savefig does, which draws everything twice
                canvas.print_png(temporary, metadata=NAMELESS)  # type: ignore[no-untyped-call]


def _choose_fonts(figure: Figure) -> None:
    for axis in figure.findobj(Axis):
        axis.get_ticklabels()  # gives the labels of ticks their text
    texts = figure.findobj(Text)
    families = families_for("".join(text.get_text() for text in texts))
    for text in texts if len(families) > 1 else ():
        text.set_fontfamily(families)


def rgb(colour: Colour) -> tuple[float, float, float]:
    """The colour as matplotlib takes it."""
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def legend_name(label: str) -> str:
    """The label as it stands in a legend."""
    # matplotlib leaves names out of a legend that begin with an underscore; a zero-width space keeps them in.
    name = short(label) or "(empty)"
    return f"\u200b{name}" if name.startswith("_") else name
