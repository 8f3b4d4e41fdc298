"""Scores of step probabilities against timed labels, for the network and its baselines alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.inference.labelling import THRESHOLD, step_classes
from vidlstm.inference.segments import mean_between, merge_segments
from vidlstm.training import segmentation_metrics as metrics
from vidlstm.training.segmentation_metrics import UNKNOWN, Alarms, alarms_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

OVERLAPS = (0.1, 0.25, 0.5)
"""Of a predicted segment with a true one, from which it counts as right."""
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Probabilities from which alarms are tried."""
TOLERANCE_SECONDS = 1.0
"""That an alarm may come before a labelled beginning or after a labelled end: labels are no more exact."""


@dataclass(frozen=True, eq=False)
class Steps:
    """What is known, and what is said, of one video.

    Attributes:
        times_T: of its steps.
        truth: class numbers ``(T,)``, or 0 and 1 ``(T, K)``; -1 is unknown.
        probabilities_TK: what is said.
        begins_T: what is said of whether a step begins a segment, if anything is.
    """

    times_T: np.ndarray
    truth: np.ndarray
    probabilities_TK: np.ndarray
    begins_T: np.ndarray | None = None

    @property
    def known_T(self) -> np.ndarray:
        """Of which steps the truth is known."""
        known: np.ndarray = (self.truth if self.truth.ndim == 1 else self.truth[:, 0]) != UNKNOWN
        return known

    @property
    def there_TK(self) -> np.ndarray:
        """Whether each class is there."""
        classes = np.arange(self.probabilities_TK.shape[1])
        there: np.ndarray = self.truth == 1 if self.truth.ndim == 2 else self.truth[:, None] == classes
        return there

    def classes(self, minimum_seconds: float) -> np.ndarray:
        """The class of each step ``(T,)``, once segments that are too short went to their neighbours."""
        labels = tuple(map(str, range(self.probabilities_TK.shape[1])))
        step = float(np.median(np.diff(self.times_T))) if len(self.times_T) > 1 else 1.0
        segments = merge_segments(
            self.times_T,
            mean_between(self.probabilities_TK, self.begins_T),
            labels,
            minimum_seconds=minimum_seconds,
            end_seconds=float(self.times_T[-1]) + step,
        )
        return step_classes(self.times_T, segments, labels)


def scores_of(
    videos: Sequence[Steps], *, minimum_seconds: float, ignored: Collection[int] = ()
) -> dict[str, float]:
    """All scores of some videos.

    Args:
        videos: what is known and said.
        minimum_seconds: of a predicted segment.
        ignored: classes that are no event, such as the background; accuracies count them all the same.
    """
    known = [video.known_T for video in videos]
    said = np.concatenate([v.probabilities_TK[k] for v, k in zip(videos, known, strict=True)])
    there = np.concatenate([v.there_TK[k] for v, k in zip(videos, known, strict=True)])
    ranked = {
        "map": metrics.mean_average_precision(said, there, ignored=ignored),
        "calibrated_map": metrics.mean_average_precision(said, there, calibrated=True, ignored=ignored),
    }
    if videos[0].truth.ndim == 2:
        return {"macro_f1": _macro_f1(said, there), **ranked}
    return {**_segment_scores(videos, minimum_seconds, ignored), **ranked}


def unmerged_scores(videos: Sequence[Steps], ignored: Collection[int] = ()) -> dict[str, float]:
    """All scores of what each step is said to be by itself, as where nothing later is known yet."""
    alone = [replace(video, begins_T=None) for video in videos]
    return scores_of(alone, minimum_seconds=0.0, ignored=ignored)


def _segment_scores(
    videos: Sequence[Steps], minimum_seconds: float, ignored: Collection[int]
) -> dict[str, float]:
    pairs = [(video.classes(minimum_seconds), video.truth) for video in videos]
    predicted, truth = (np.concatenate(part) for part in zip(*pairs, strict=True))
    judged = [(p, t) for p, t in pairs if (t != UNKNOWN).any()]
    edits = [metrics.edit_score(p, t, ignored) for p, t in judged]
    counts = {
        overlap: np.sum([metrics.segment_matches(p, t, overlap, ignored) for p, t in judged], axis=0)
        for overlap in OVERLAPS
    }
    return {
        "accuracy": metrics.frame_accuracy(predicted, truth),
        "mean_class_accuracy": metrics.mean_class_accuracy(predicted, truth),
        "edit": float(np.mean(edits)) if edits else float("nan"),
        **{
            f"f1@{round(100 * o)}": metrics.f1_of(*map(int, counts[o])) if judged else np.nan
            for o in OVERLAPS
        },
    }


def _macro_f1(said_NK: np.ndarray, there_NK: np.ndarray) -> float:
    holds = said_NK >= THRESHOLD
    right, both = (holds & there_NK).sum(0), holds.sum(0) + there_NK.sum(0)
    present = there_NK.any(0)
    return float((2 * right / np.maximum(both, 1))[present].mean()) if present.any() else float("nan")


def events_of(
    videos: Sequence[Steps], labels: Sequence[str], ignored: Collection[int] = ()
) -> dict[str, Any]:
    """Of each class that occurs, what alarms on it are worth at several thresholds."""
    found: dict[str, Any] = {}
    for k, label in enumerate(labels):
        if k in ignored or not any(video.there_TK[:, k].any() for video in videos):
            continue
        found[label] = [{"threshold": level, **_alarms(videos, k, level).as_dict()} for level in THRESHOLDS]
    return found


def _alarms(videos: Sequence[Steps], k: int, threshold: float) -> Alarms:
    total = Alarms()
    for video in videos:
        total.add(
            alarms_of(
                video.times_T,
                video.probabilities_TK[:, k],
                video.there_TK[:, k],
                threshold=threshold,
                known_T=video.known_T,
                tolerance_seconds=TOLERANCE_SECONDS,
            )
        )
    return total


def confusion_of(videos: Sequence[Steps], classes: int, minimum_seconds: float) -> np.ndarray:
    """Known steps by true class (rows) and predicted one (columns), ``(K, K)``."""
    counts = np.zeros((classes, classes), int)
    for video in videos:
        known = video.known_T
        np.add.at(counts, (video.truth[known], video.classes(minimum_seconds)[known]), 1)
    return counts
