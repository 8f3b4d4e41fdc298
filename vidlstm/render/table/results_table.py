"""Results as a table for the terminal that sets the model beside its baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from io import StringIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from vidlstm.render.words import one_line


def results_table(rows: Mapping[str, Mapping[str, float | None]], *, title: str | None = None) -> Table:
    """A table with one row a method and one column a score; the best of each column is bold.

    Args:
        rows: method to score name to value; a score that a method lacks is left blank. Rich's markup in names
            means nothing, and an underscore is a space.
        title: above the table.
    """
    table = Table(title=None if title is None else Text(one_line(title)), title_justify="left")
    scores = list(dict.fromkeys(score for values in rows.values() for score in values))
    table.add_column("", overflow="fold")
    for score in scores:
        table.add_column(_words(score), justify="right", overflow="fold")
    for method, values in rows.items():
        cells = [_cell(values.get(score), [row.get(score) for row in rows.values()]) for score in scores]
        table.add_row(_words(method), *cells)
    return table


def _words(name: str) -> Text:
    """A name that can be broken between its words where the terminal is narrow."""
    return Text(one_line(name).replace("_", " "))


def _cell(value: float | None, column: list[float | None]) -> Text:
    if value is None or math.isnan(value):
        return Text("")
    if isinstance(value, int):
        return Text(str(value))
    best = max(v for v in column if v is not None and not math.isnan(v))
    return Text(f"{value:.3f}", style="bold" if value == best and len(column) > 1 else "")


def as_text(renderable: RenderableType, *, width: int = 100) -> str:
    """What rich would show in a terminal without colours, for log files and tests."""
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False)
    console.print(renderable)
    written = console.file
    assert isinstance(written, StringIO)
    return written.getvalue()
