"""A network that labels every step, over the features of a whole video. It opens no video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidlstm.inference.segments import mean_between, merge_segments
from vidlstm.structures import ActionPrediction, Segment

if TYPE_CHECKING:
    from torch import Tensor

    from vidlstm.models.labeller import SequenceLabeller
    from vidlstm.structures import FeatureSequence

THRESHOLD = 0.5
"""From which probability on one of several overlapping labels holds."""


class StepLabeller:
    """Says what happens at every step of a feature sequence.

    Args:
        model: in eval mode.
        labels: the K class names.
        minimum_seconds: shorter segments are given to their neighbours.
        multi_label: labels overlap.
        produced_by: plain values copied into every prediction.
    """

    def __init__(
        self,
        model: SequenceLabeller,
        labels: tuple[str, ...],
        *,
        minimum_seconds: float,
        multi_label: bool = False,
        produced_by: dict[str, Any] | None = None,
    ) -> None:
        self._model, self._labels, self._multi_label = model, labels, multi_label
        self._minimum_seconds = minimum_seconds
        self._produced_by = {**(produced_by or {}), "minimum_seconds": minimum_seconds}

    def __call__(self, video: str, sequence: FeatureSequence) -> ActionPrediction:
        """Predicts one video: its windows are the steps.

        Args:
            video: its path, for the record.
            sequence: its features.
        """
        times = sequence.timestamps_seconds
        step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        bounds = np.append(times, times[-1] + step) if len(times) else times
        probabilities_TK, begins_T = self._read(torch.from_numpy(sequence.features))
        return ActionPrediction(
            video=video,
            labels=self._labels,
            window_start_seconds=bounds[:-1],
            window_end_seconds=bounds[1:],
            window_probabilities=probabilities_TK,
            segments=self._segments(bounds, mean_between(probabilities_TK, begins_T)),
            produced_by=dict(self._produced_by),
            truncated=sequence.truncated,
            boundary_probabilities=begins_T,
        )

    @torch.inference_mode()
    def _read(self, x_TF: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
        """Probabilities of the classes ``(T, K)`` float64, of overlapping ones each by itself; and of a
        boundary ``(T,)``, where the network says so."""
        if not len(x_TF):
            return np.zeros((0, len(self._labels))), None
        device = next(self._model.parameters()).device
        scores_TK, begins_T1 = self._model.split(self._model(x_TF[None].to(device))[0])
        said_TK = probabilities_of(scores_TK, multi_label=self._multi_label)
        return said_TK, probabilities_of(begins_T1[:, 0], multi_label=True) if self._model.boundary else None

    def _segments(self, bounds: np.ndarray, probabilities_TK: np.ndarray) -> tuple[Segment, ...]:
        if not len(probabilities_TK):
            return ()
        if self._multi_label:
            return overlapping_segments(
                bounds, probabilities_TK, self._labels, minimum_seconds=self._minimum_seconds
            )
        return merge_segments(
            bounds[:-1],
            probabilities_TK,
            self._labels,
            minimum_seconds=self._minimum_seconds,
            end_seconds=float(bounds[-1]),
        )


def probabilities_of(scores: Tensor, *, multi_label: bool = False) -> np.ndarray:
    """Class probabilities ``(..., K)`` float64 of scores; with ``multi_label`` of each class by itself."""
    scores = scores.double()
    return np.asarray((scores.sigmoid() if multi_label else scores.softmax(-1)).cpu().numpy())


def overlapping_segments(
    bounds: np.ndarray, probabilities_TK: np.ndarray, labels: tuple[str, ...], *, minimum_seconds: float
) -> tuple[Segment, ...]:
    """Stretches in which each label holds by itself, in time order; those too short are left out.

    Args:
        bounds: ``(T + 1,)``, the beginning of each step and the end of the last.
        probabilities_TK: of each label.
        labels: the K names.
        minimum_seconds: of a stretch.
    """
    found = []
    for k, label in enumerate(labels):
        holds = np.concatenate([[0], probabilities_TK[:, k] >= THRESHOLD, [0]]).astype(int)
        edges = np.flatnonzero(np.diff(holds)).reshape(-1, 2)
        for first, last in edges.tolist():
            if bounds[last] - bounds[first] >= minimum_seconds - 1e-9:
                chance = float(probabilities_TK[first:last, k].mean())
                found.append(Segment(float(bounds[first]), float(bounds[last]), label, chance))
    return tuple(sorted(found, key=lambda s: (s.start_seconds, s.end_seconds, s.label)))


def step_classes(times_T: np.ndarray, segments: tuple[Segment, ...], labels: tuple[str, ...]) -> np.ndarray:
    """The class numbers ``(T,)`` that segments without overlap give to steps; -1 where there is none."""
    classes = np.full(len(times_T), -1)
    for segment in segments:
        first, last = np.searchsorted(times_T, np.array([segment.start_seconds, segment.end_seconds]) - 1e-9)
        classes[first:last] = labels.index(segment.label)
    return classes
