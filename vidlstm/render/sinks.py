"""Every kind of file that a prediction can become, behind one signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vidlstm.render.overlay import draw_action_overlay
from vidlstm.render.plots import plot_timeline
from vidlstm.render.tables import write_prediction_csv, write_prediction_json
from vidlstm.structures import ActionPrediction, Frame, Segment


@dataclass(frozen=True)
class Footage:
    """The video that a prediction is about, for outputs that show it.

    Attributes:
        frames: its frames, with the container's own times; read once.
        fps: its rate.
        progress: called with the number of frames written, after each.
    """

    frames: Iterable[Frame]
    fps: float
    progress: Callable[[int], None] | None = None


class Sink(Protocol):
    """Writes one file. An output that shows the video needs ``footage``; the others do not look at it."""

    def __call__(
        self,
        prediction: ActionPrediction,
        path: Path,
        *,
        footage: Footage | None = None,
        truth: Sequence[Segment] | None = None,
    ) -> None:
        """Writes ``path``.

        Raises:
            OutputError, VideoError: it cannot be written.
            ValueError: footage is needed and not given.
        """


def _json(
    prediction: ActionPrediction,
    path: Path,
    *,
    footage: Footage | None = None,
    truth: Sequence[Segment] | None = None,
) -> None:
    write_prediction_json(prediction, path)


def _csv(
    prediction: ActionPrediction,
    path: Path,
    *,
    footage: Footage | None = None,
    truth: Sequence[Segment] | None = None,
) -> None:
    write_prediction_csv(prediction, path)


def _png(
    prediction: ActionPrediction,
    path: Path,
    *,
    footage: Footage | None = None,
    truth: Sequence[Segment] | None = None,
) -> None:
    plot_timeline(prediction, path, truth)


def _mp4(
    prediction: ActionPrediction,
    path: Path,
    *,
    footage: Footage | None = None,
    truth: Sequence[Segment] | None = None,
) -> None:
    if footage is None:
        raise ValueError("an annotated video needs footage to draw on")
    draw_action_overlay(
        footage.frames, prediction, path, fps=footage.fps, truth=truth, progress=footage.progress
    )


SINKS: dict[str, Sink] = {"json": _json, "csv": _csv, "png": _png, "mp4": _mp4}
"""Suffix of a file to the function that writes it."""
