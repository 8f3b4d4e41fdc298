"""How well the steps of long videos are labelled. Pure functions on arrays; every score is from 0 to 1.

Classes are numbers from 0; -1 is a step whose label nobody knows. Such steps are scored nowhere: segments of
the truth and of the prediction are both cut there (:func:`where_known`).

- Lea et al. 2016, "Segmental spatiotemporal CNNs for fine-grained action segmentation" (edit score), and
  Lea et al. 2017, "Temporal convolutional networks for action segmentation and detection" (segmental F1).
- De Geest et al. 2016, "Online action detection" (per-frame mAP, calibrated).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

UNKNOWN = -1
"""The class of a step whose label nobody knows."""

Run = tuple[int, int, int]
"""A segment in steps: first, one past the last, class."""


def where_known(predicted_T: np.ndarray, truth_T: np.ndarray) -> np.ndarray:
    """The predicted classes, unknown wherever the truth is."""
    known: np.ndarray = np.where(truth_T == UNKNOWN, UNKNOWN, predicted_T)
    return known


def runs_of(classes_T: np.ndarray, ignored: Collection[int] = ()) -> list[Run]:
    """The segments: maximal stretches of one class, but not of unknown or ignored ones.

    >>> runs_of(np.array([2, 2, -1, 2, 0]))
    [(0, 2, 2), (3, 4, 2), (4, 5, 0)]
    """
    edges = [0, *(np.flatnonzero(np.diff(classes_T)) + 1).tolist(), len(classes_T)]
    found = [(a, b, int(classes_T[a])) for a, b in pairwise(edges) if b > a]
    return [run for run in found if run[2] != UNKNOWN and run[2] not in ignored]


def frame_accuracy(predicted_T: np.ndarray, truth_T: np.ndarray) -> float:
    """The share of known steps whose class is right; NaN where none is known."""
    known = truth_T != UNKNOWN
    return float((predicted_T == truth_T)[known].mean()) if known.any() else float("nan")


def mean_class_accuracy(predicted_T: np.ndarray, truth_T: np.ndarray) -> float:
    """The mean over classes that occur of the share of their steps that are right."""
    classes = np.unique(truth_T[truth_T != UNKNOWN])
    return (
        float(np.mean([(predicted_T == k)[truth_T == k].mean() for k in classes])) if len(classes) else np.nan
    )


def edit_score(predicted_T: np.ndarray, truth_T: np.ndarray, ignored: Collection[int] = ()) -> float:
    """1 - Levenshtein distance between the two orders of segments, over the longer one (Lea et al. 2016).

    It is blind to when segments begin and end, and punishes what is torn into pieces.

    Args:
        predicted_T, truth_T: classes of one video.
        ignored: classes whose segments are left out, such as the background.
    """
    predicted, truth = (
        [k for *_, k in runs_of(classes_T, ignored)]
        for classes_T in (where_known(predicted_T, truth_T), truth_T)
    )
    longer = max(len(predicted), len(truth))
    return 1.0 - levenshtein(predicted, truth) / longer if longer else 1.0


def levenshtein(a: Sequence[int], b: Sequence[int]) -> int:
    """The fewest insertions, deletions and substitutions that turn one sequence into the other."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def segment_matches(
    predicted_T: np.ndarray, truth_T: np.ndarray, overlap: float, ignored: Collection[int] = ()
) -> tuple[int, int, int]:
    """True positives, false positives and false negatives among the segments of one video (Lea et al. 2017).

    A predicted segment is right where its best overlap (intersection over union) with a true one of its class
    is at least ``overlap``, and no segment before it was right about that one.
    """
    predicted = runs_of(where_known(predicted_T, truth_T), ignored)
    truth = runs_of(truth_T, ignored)
    taken: set[int] = set()
    for run in predicted:
        overlaps = [_overlap(run, other) if run[2] == other[2] else 0.0 for other in truth]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] >= overlap and overlaps[best] > 0:
            taken.add(best)
    right = len(taken)
    return right, len(predicted) - right, len(truth) - right


def _overlap(a: Run, b: Run) -> float:
    both = min(a[1], b[1]) - max(a[0], b[0])
    return max(0, both) / (max(a[1], b[1]) - min(a[0], b[0]))


def f1_of(right: int, wrong: int, missed: int) -> float:
    """2 TP / (2 TP + FP + FN); 1 where there is nothing to find and nothing was found."""
    total = 2 * right + wrong + missed
    return 2 * right / total if total else 1.0


def average_precision(score_N: np.ndarray, positive_N: np.ndarray, *, calibrated: bool = False) -> float:
    """The area under precision over recall, as the sum of precision × rise of recall; NaN without positives.

    Steps with one score are counted together, so that their order does not matter.

    Args:
        score_N: of one class at every known step of all videos.
        positive_N: whether the class is there.
        calibrated: weigh false positives down by how rare the class is, as if there were as many steps with
            it as without (De Geest et al. 2016, eq. 2); so that classes and data sets compare.
    """
    positives = int(positive_N.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-score_N, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score_N[order]) != 0, True))  # of each group of equal scores
    right = np.cumsum(positive_N[order])[last].astype(float)
    wrong = last + 1 - right
    ratio = (len(score_N) - positives) / positives if calibrated else 1.0
    precision = np.where(right > 0, ratio * right, 0.0) / np.maximum(ratio * right + wrong, 1e-300)
    if ratio == 0:  # the class is everywhere
        precision = np.ones_like(right)
    return float((precision * np.diff(right, prepend=0.0)).sum() / positives)


def mean_average_precision(
    score_NK: np.ndarray, positive_NK: np.ndarray, *, calibrated: bool = False, ignored: Collection[int] = ()
) -> float:
    """The mean of :func:`average_precision` over the classes that occur."""
    values = [
        average_precision(score_NK[:, k], positive_NK[:, k], calibrated=calibrated)
        for k in range(score_NK.shape[1])
        if k not in ignored and positive_NK[:, k].any()
    ]
    return float(np.mean(values)) if values else float("nan")


@dataclass
class Alarms:
    """What alarms of one class would have been worth.

    Attributes:
        delays_seconds: of each event that was noticed, from its beginning to its first alarm; never negative.
        events: how many there were.
        false_alarms: alarms that are about no event.
        hours: of video that were watched.
    """

    delays_seconds: list[float] = field(default_factory=list)
    events: int = 0
    false_alarms: int = 0
    hours: float = 0.0

    def add(self, other: Alarms) -> None:
        """Takes what another video gave."""
        self.delays_seconds += other.delays_seconds
        self.events += other.events
        self.false_alarms += other.false_alarms
        self.hours += other.hours

    def as_dict(self) -> dict[str, float]:
        """Events, the share noticed, the median delay, false alarms an hour; NaN where there is none."""
        noticed = len(self.delays_seconds)
        return {
            "events": self.events,
            "noticed": noticed / self.events if self.events else float("nan"),
            "median_delay_seconds": float(np.median(self.delays_seconds)) if noticed else float("nan"),
            "false_alarms_an_hour": self.false_alarms / self.hours if self.hours else float("nan"),
        }


def alarms_of(
    times_T: np.ndarray,
    score_T: np.ndarray,
    there_T: np.ndarray,
    *,
    threshold: float,
    known_T: np.ndarray | None = None,
    tolerance_seconds: float = 0.0,
) -> Alarms:
    """What an alarm on one class would have done in one video.

    An alarm is the step at which the score rises to the threshold; so one that is always on notices nothing.
    An event is noticed where an alarm lies in it, or at most ``tolerance_seconds`` before its beginning or
    after its end: labels are no more exact than that. An alarm at a known step that is about no event is
    false.

    Args:
        times_T: of the steps, in seconds, steadily rising.
        score_T: of the class.
        there_T: whether the class is there.
        threshold: from which a score is an alarm.
        known_T: steps of which the truth is known; None takes all.
        tolerance_seconds: see above.
    """
    known_T = np.ones(len(times_T), bool) if known_T is None else known_T
    step = float(np.median(np.diff(times_T))) if len(times_T) > 1 else 0.0
    high_T = score_T >= threshold
    alarm_T = high_T & ~np.concatenate([[False], high_T])[:-1]
    runs = runs_of(np.where(there_T & known_T, 1, UNKNOWN))
    return alarms_at(
        times_T[alarm_T],
        [(float(times_T[first]), float(times_T[last - 1]) + step) for first, last, _ in runs],
        known_A=known_T[alarm_T],
        hours=float(known_T.sum()) * step / 3600,
        tolerance_seconds=tolerance_seconds,
    )


def alarms_at(
    moments_A: np.ndarray,
    events: Sequence[tuple[float, float]],
    *,
    hours: float,
    known_A: np.ndarray | None = None,
    tolerance_seconds: float = 0.0,
) -> Alarms:
    """What alarms at given moments were worth; see :func:`alarms_of`.

    >>> alarms_at(np.array([2.5, 9.0]), [(2.0, 4.0), (5.0, 6.0)], hours=1.0).as_dict()
    {'events': 2, 'noticed': 0.5, 'median_delay_seconds': 0.5, 'false_alarms_an_hour': 1.0}

    Args:
        moments_A: of the alarms, in seconds.
        events: when each began and ended, in seconds.
        hours: of video that were watched.
        known_A: of each alarm, whether the truth is known there; None takes all.
        tolerance_seconds: that an alarm may come before an event or after it.
    """
    result, about_A = Alarms(events=len(events), hours=hours), np.zeros(len(moments_A), bool)
    for begin, end in events:
        near_A = (moments_A >= begin - tolerance_seconds) & (moments_A < end + tolerance_seconds)
        about_A |= near_A
        if near_A.any():
            result.delays_seconds.append(max(0.0, float(moments_A[near_A].min() - begin)))
    known_A = np.ones(len(moments_A), bool) if known_A is None else known_A
    result.false_alarms = int((known_A & ~about_A).sum())
    return result
