"""A trained classifier over the features of a whole video. It opens no video and no checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidlstm.datamodules.collate import SequenceDataset
from vidlstm.inference.labelling import probabilities_of
from vidlstm.inference.segments import merge_segments, step_probabilities, window_rows
from vidlstm.structures import ActionPrediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vidlstm.models.fusion import Classifier
    from vidlstm.settings import WindowSettings
    from vidlstm.structures import FeatureSequence, SequenceBatch

STRIDES_PER_WINDOW = 4
BATCH_SIZE = 64


@dataclass(frozen=True)
class Cut:
    """How a long video is cut.

    Attributes:
        window_seconds: length of a window.
        stride_seconds: from start to start.
        minimum_seconds: shortest segment.
    """

    window_seconds: float
    stride_seconds: float
    minimum_seconds: float

    @classmethod
    def of(cls, window: WindowSettings, usual_seconds: float) -> Cut:
        """What settings ask for; without any, windows of the usual length, a quarter of it apart."""
        seconds = window.seconds or usual_seconds
        least = window.minimum_seconds
        stride = window.stride_seconds or seconds / STRIDES_PER_WINDOW
        return cls(seconds, stride, seconds / 2 if least is None else least)

    def as_plain(self) -> dict[str, float]:
        """For the record of what produced a prediction."""
        return asdict(self)


class WindowClassifier:
    """Slides windows over feature sequences.

    Args:
        model: in eval mode.
        labels: the K class names.
        cut: how a video is cut into windows.
        step_seconds: how long the frame of a video lasts that gives only one.
        produced_by: plain values copied into every prediction.
    """

    def __init__(
        self,
        model: Classifier,
        labels: tuple[str, ...],
        cut: Cut,
        *,
        step_seconds: float,
        produced_by: dict[str, Any] | None = None,
    ) -> None:
        self._model, self._labels, self.cut = model, labels, cut
        self._step_seconds = step_seconds
        self._produced_by = {**(produced_by or {}), **cut.as_plain()}

    def __call__(self, video: str, sequence: FeatureSequence) -> ActionPrediction:
        """Predicts one video.

        Args:
            video: its path, for the record.
            sequence: its features.
        """
        times = sequence.timestamps_seconds
        rows = window_rows(times, self.cut.window_seconds, self.cut.stride_seconds)
        probabilities_WK = self.probabilities(sequence, rows)
        step = float(np.median(np.diff(times))) if len(times) > 1 else self._step_seconds
        ends = np.append(times, times[-1] + step if len(times) else 0.0)
        return ActionPrediction(
            video=video,
            labels=self._labels,
            window_start_seconds=np.array([times[first] for first, _ in rows]),
            window_end_seconds=np.array([ends[last] for _, last in rows]),
            window_probabilities=probabilities_WK,
            segments=merge_segments(
                times,
                step_probabilities(rows, probabilities_WK, len(times)),
                self._labels,
                minimum_seconds=self.cut.minimum_seconds,
                end_seconds=float(ends[-1]),
            ),
            produced_by=dict(self._produced_by),
            truncated=sequence.truncated,
        )

    @torch.inference_mode()
    def probabilities(self, sequence: FeatureSequence, rows: list[tuple[int, int]]) -> np.ndarray:
        """Class probabilities ``(W, K)`` float64 of row ranges of one sequence."""
        device = next(self._model.parameters()).device
        parts = [np.zeros((0, len(self._labels)))]
        for batch in window_batches(sequence, rows):
            parts.append(probabilities_of(self._model(batch.x_BTF.to(device), batch.lengths_B.to(device))))
        return np.concatenate(parts)

    @torch.inference_mode()
    def of_windows(self, windows: list[np.ndarray]) -> np.ndarray:
        """Class probabilities ``(W, K)`` float64 of windows ``(T, F)`` of one batch."""
        device = next(self._model.parameters()).device
        parts = [torch.from_numpy(window).float() for window in windows]
        x_BTF = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        scores_BK = self._model(x_BTF.to(device), torch.tensor([len(part) for part in parts]).to(device))
        return probabilities_of(scores_BK)


def window_batches(sequence: FeatureSequence, rows: list[tuple[int, int]]) -> Iterator[SequenceBatch]:
    """Batches of windows, in order; their targets mean nothing.

    Args:
        sequence: of one video.
        rows: of each window, ``[first, last)``.
    """
    nothing_W = torch.zeros(len(rows), dtype=torch.int64)
    bounds_W2 = torch.tensor(rows).reshape(-1, 2)
    windows = SequenceDataset(torch.from_numpy(sequence.features), bounds_W2, nothing_W)
    for first in range(0, len(rows), BATCH_SIZE):
        yield windows[list(range(first, min(first + BATCH_SIZE, len(rows))))]
