"""A trained classifier over the features of a whole video. It opens no video and no checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidlstm.datamodules.collate import SequenceDataset
from vidlstm.inference.segments import merge_segments, step_probabilities, window_rows
from vidlstm.structures import ActionPrediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vidlstm.models.fusion import Classifier
    from vidlstm.structures import FeatureSequence, SequenceBatch

STRIDES_PER_WINDOW = 4
BATCH_SIZE = 64


class ActionPredictor:
    """Slides windows over feature sequences.

    Args:
        model: in eval mode.
        labels: the K class names.
        window_seconds: length of a window.
        stride_seconds: None is a quarter of a window.
        minimum_seconds: shortest segment; None is half a window.
        produced_by: plain values copied into every prediction.
    """

    def __init__(
        self,
        model: Classifier,
        labels: tuple[str, ...],
        *,
        window_seconds: float,
        stride_seconds: float | None = None,
        minimum_seconds: float | None = None,
        produced_by: dict[str, Any] | None = None,
    ) -> None:
        self._model, self._labels = model, labels
        self.window_seconds = window_seconds
        self.stride_seconds = stride_seconds or window_seconds / STRIDES_PER_WINDOW
        self.minimum_seconds = window_seconds / 2 if minimum_seconds is None else minimum_seconds
        self._produced_by = produced_by or {}

    def __call__(self, video: str, sequence: FeatureSequence) -> ActionPrediction:
        """Predicts one video.

        Args:
            video: its path, for the record.
            sequence: its features.
        """
        times = sequence.timestamps_seconds
        rows = window_rows(times, self.window_seconds, self.stride_seconds)
        probabilities_WK = self.probabilities(sequence, rows)
        step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
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
                minimum_seconds=self.minimum_seconds,
                end_seconds=float(ends[-1]),
            ),
            produced_by={
                **self._produced_by,
                "window_seconds": self.window_seconds,
                "stride_seconds": self.stride_seconds,
                "minimum_seconds": self.minimum_seconds,
            },
            truncated=sequence.truncated,
        )

    @torch.inference_mode()
    def probabilities(self, sequence: FeatureSequence, rows: list[tuple[int, int]]) -> np.ndarray:
        """Class probabilities ``(W, K)`` float64 of row ranges of one sequence."""
        device = next(self._model.parameters()).device
        parts = [np.zeros((0, len(self._labels)))]
        for batch in window_batches(sequence, rows):
            scores = self._model(batch.x_BTF.to(device), batch.lengths_B.to(device))
            parts.append(scores.double().softmax(-1).cpu().numpy())
        return np.concatenate(parts)


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
