"""Progress in the terminal: bars for a person, a line now and then for a log file."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from types import TracebackType

    from vidlstm.features.extract import ExtractionReport
    from vidlstm.workflows.predict_action import PredictionReport

LOG_SECONDS = 10.0


class ExtractionBar:
    """Clips done, clips/s, frames/s and the time left; call it with each report."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("extracting"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} clips"),
            TextColumn("{task.fields[rates]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("extract", total=None, rates="", visible=False)
        self._started = self._logged = time.monotonic()

    def __enter__(self) -> ExtractionBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, report: ExtractionReport, total: int) -> None:
        """Shows a report; ``total`` videos in all."""
        if not report.extracted:  # another extraction begins; one bar serves them all
            self._started = self._logged = time.monotonic()
        seconds = max(1e-6, time.monotonic() - self._started)
        done = report.extracted + report.found + len(report.unreadable)
        rates = f"{report.extracted / seconds:.1f} clips/s  {report.features / seconds:.0f} frames/s"
        visible = report.features > 0 or report.found < total
        self._progress.update(self._task, completed=done, total=total, rates=rates, visible=visible)
        if (
            not self._console.is_terminal
            and report.features
            and time.monotonic() - self._logged > LOG_SECONDS
        ):
            self._logged = time.monotonic()
            left = f"  {(total - done) * seconds / done:.0f} s left" if done else ""
            print(f"extracting {done}/{total} clips  {rates}{left}", file=sys.stderr, flush=True)


def speaks() -> bool:
    """Whether this process prints; of several that train together only the first does."""
    from lightning.pytorch.utilities import rank_zero_only

    return not getattr(rank_zero_only, "rank", 0)


def quieten_lightning() -> None:
    """Leaves Lightning's warnings, without its remarks on hardware and on other products."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", r"`isinstance\(treespec", FutureWarning)  # Lightning's, of torch 2.15
    if not speaks():
        warnings.simplefilter("ignore")


def show_failures(report: ExtractionReport | PredictionReport, *, limit: int = 20) -> None:
    """Lists what failed, on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for failure in report.failures[:limit]:
        console.print(f"[red]failed[/red] {escape(str(failure))}")
    if len(report.failures) > limit:
        console.print(f"... and {len(report.failures) - limit} more")
