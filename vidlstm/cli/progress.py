"""Progress in the terminal: bars for a person, a line now and then for a log file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vidlstm.cli.terminal import say, visible, writing
from vidlstm.errors import with_flags

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from vidlstm.features.extract import ExtractionReport
    from vidlstm.render.footage import DrawingReport
    from vidlstm.structures import Failure
    from vidlstm.tracking.run import TrackingReport
    from vidlstm.training.callbacks import TrainingReport

LOG_SECONDS = 10.0


class _Bar:
    """A bar for a person, a line now and then for a log file.

    Args:
        verb: what is going on.
        unit: what is counted.
    """

    def __init__(self, verb: str, unit: str) -> None:
        self._verb, self._unit = verb, unit
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[rates]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(verb, total=None, rates="", count="", visible=False)
        self._started = self._logged = time.monotonic()
        self._before = 0  # done before this run, which says nothing of its speed
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @property
    def _seconds(self) -> float:
        return max(0.2, time.monotonic() - self._started)

    def _show(
        self,
        done: int,
        total: int,
        rates: str,
        *,
        working: bool,
        visible: bool,
        unit: str = "",
        verb: str = "",
    ) -> None:
        """Shows how far things are; a total of 0 is not known."""
        # Shown from the first news to the last, so that bars of one command follow each other.
        if visible and not self._ended:
            self._progress.start()
        count = f"{done}/{total} {unit or self._unit}" if total else f"{done} {unit or self._unit}"
        self._progress.update(
            self._task,
            completed=done,
            total=total or None,
            rates=rates,
            count=count,
            visible=visible,
            description=verb or self._verb,
        )
        if done == total:
            self._progress.stop()
            self._ended = True
        if not self._console.is_terminal and working and time.monotonic() - self._logged > LOG_SECONDS:
            self._logged = time.monotonic()
            mine = done - self._before
            left = f"  {(total - done) * self._seconds / mine:.0f} s left" if mine and total else ""
            say(f"{self._verb} {count}  {rates}{left}", error=True)


class ExtractionBar(_Bar):
    """Clips done, or the frames of a single one, their rates and the time left; call it with each report."""

    def __init__(self) -> None:
        super().__init__("extracting", "clips")
        self._report: ExtractionReport | None = None

    def __call__(self, report: ExtractionReport, total: int) -> None:
        """Shows a report; ``total`` videos in all."""
        if report is not self._report:  # another extraction begins; one bar serves them all
            self._report, self._started, self._ended = report, time.monotonic(), False
            self._logged = self._started
        done = report.extracted + report.found + len(report.unreadable)
        rates = (
            f"{report.extracted / self._seconds:.1f} clips/s  {report.features / self._seconds:.0f} frames/s"
        )
        working = report.features > 0
        if total == 1 and not done and report.expected:  # a long one: its frames say how far it is
            expected = max(report.expected, report.features + 1)
            rates = f"{report.features / self._seconds:.0f} frames/s"
            self._show(report.features, expected, rates, working=working, visible=working, unit="frames")
            return
        verb = "" if working else "looking for features of"
        rates = rates if working else ""
        self._show(done, total, rates, working=working, visible=working or report.found < total, verb=verb)


class TrackingBar(_Bar):
    """Videos done, frames done and frames/s; call it with each report."""

    def __init__(self) -> None:
        super().__init__("tracking", "videos")

    def __call__(self, report: TrackingReport, total: int) -> None:
        """Shows a report; ``total`` videos in all."""
        failed = sum(f.reason != "truncated" for f in report.failures)
        done = report.tracked + report.found + failed
        rates = f"{report.frames} frames  {report.frames / self._seconds:.1f} frames/s"
        self._show(done, total, rates, working=report.frames > 0, visible=True)


class DrawingBar(_Bar):
    """Frames of a video drawn so far, and the time left; call it with each report."""

    def __init__(self) -> None:
        super().__init__("drawing", "frames")
        self._report: DrawingReport | None = None

    def __call__(self, report: DrawingReport, total: int) -> None:
        """Shows a report; ``total`` frames are expected, 0 where that is not known."""
        if report is not self._report:  # another video begins
            self._report, self._started, self._ended = report, time.monotonic(), False
            self._progress.reset(self._task)
        rates = f"{report.frames / self._seconds:.0f} frames/s"
        self._show(report.frames, total, rates, working=True, visible=True)


class TrainingBar(_Bar):
    """Steps done of the whole run, its epoch, its loss and the time left; call it with each report."""

    def __init__(self) -> None:
        super().__init__("training", "steps")
        self._shown: float | None = None

    def __call__(self, report: TrainingReport, total: int) -> None:
        """Shows a report; ``total`` steps in all, fewer where the training stops early."""
        now = time.monotonic()
        if self._shown is None:  # what came before the first step is no part of the training
            self._started = self._logged = now
            self._before = report.steps
        elif now - self._shown < 0.1 and report.steps < total:
            return  # reading the loss makes a GPU wait
        self._shown = now
        epochs = f"/{report.epochs}" if report.epochs > 0 else ""
        loss = "" if report.loss is None else f"  loss {float(report.loss):.3f}"
        rates = f"epoch {report.epoch + 1}{epochs}{loss}"
        self._show(report.steps, total, rates, working=True, visible=True)


class _Report(Protocol):
    failures: list[Failure]


def show_failures(report: _Report, *, limit: int = 20) -> None:
    """Lists what failed, on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for failure in report.failures[:limit]:
        console.print(f"[red]failed[/red] {escape(visible(with_flags(str(failure))))}")
    if len(report.failures) > limit:
        console.print(f"... and {len(report.failures) - limit} more")


def show_lines(lines: Iterable[Any]) -> None:
    """Prints lines of text, and rich tables as such, on standard output."""
    console = Console()
    for line in lines:
        if isinstance(line, Table):
            with writing():
                console.print(line)
        else:
            say(visible(str(line), keep="\t"))
