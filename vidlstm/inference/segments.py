"""Windows over a long video, and their probabilities merged into segments. Pure functions on arrays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vidlstm.structures import Segment

MOST_WINDOWS = 1_000_000
"""Eleven days at one a second; a stride too small for that is taken as the one that gives so many."""
ROUNDING = 1e-9
"""Of a stride: what floating point leaves of a whole number of them."""
LEAST_STEPS = 0.999
"""Length of the shortest window: a shorter one may hold no row, and one of a whole step two, by rounding."""
LIKELY = 0.5
"""From which probability on a step may begin a segment."""
LAST_NUMBER = 2.0**53
"""Up to here every whole number is one of floating point."""


def window_rows(
    timestamps_seconds: np.ndarray, seconds: float, stride_seconds: float
) -> list[tuple[int, int]]:
    """The rows ``[first, last)`` of windows over a sequence, in order; never empty ones.

    Windows of 2 s every 1 s over 4.5 s of video; the last is moved back to end with the video::

        |--------|
             |--------|
                  |--------|
                    |--------|

    Args:
        timestamps_seconds: ``(T,)``, rising.
        seconds: length of a window; a step at least is taken.
        stride_seconds: from start to start.
    """
    if seconds <= 0 or stride_seconds <= 0:
        raise ValueError(f"window and stride must be positive, not {seconds} and {stride_seconds} s")
    times = timestamps_seconds
    if len(times) < 2:
        return [(0, 1)][: len(times)]
    step = float(np.median(np.diff(times)))
    # Half a step of tolerance, so that jitter in timestamps does not move a row across an edge.
    slack = 0.5 * step
    seconds = max(seconds, LEAST_STEPS * step)
    starts = window_starts(times, times[-1] + 2 * slack, seconds, stride_seconds)
    first = np.searchsorted(times, starts - slack)
    last = np.searchsorted(times, starts + seconds - slack)
    rows = [(int(a), int(b)) for a, b in zip(first, last, strict=True) if b > a]
    return list(dict.fromkeys(rows))


def window_starts(times: np.ndarray, end: float, seconds: float, stride_seconds: float) -> np.ndarray:
    """When each window begins, ``(W,)``; the last is moved back to end with the video.

    A window that holds none of the times may be left out, so that their number, and not the length of the
    pauses between them, says how many there are.

    Args:
        times: ``(T,)`` seconds, rising, at least one.
        end: when the video ends.
        seconds, stride_seconds: see :func:`window_rows`.
    """
    last_start = max(times[0], end - seconds)
    covered = np.minimum(np.diff(times, append=end), max(seconds, end - times[-1])).sum()
    # A stride far below any step would ask for more windows than there can be different ones.
    stride_seconds = max(stride_seconds, covered / MOST_WINDOWS)
    final = min(np.ceil((last_start - times[0]) / stride_seconds - ROUNDING), LAST_NUMBER)
    # The numbers of the windows over each time, and some more on either side; each number once.
    since = times - times[0]
    low = np.floor((since - seconds) / stride_seconds).clip(0, final)
    high = np.ceil((since + end - times[-1]) / stride_seconds + 1).clip(0, final)
    low[1:] = np.maximum(low[1:], high[:-1] + 1)
    count = np.maximum(high - low + 1, 0).astype(np.int64)
    numbers = np.repeat(low - np.cumsum(count) + count, count) + np.arange(count.sum())
    numbers = np.unique(np.append(numbers, final))
    starts: np.ndarray = np.minimum(times[0] + stride_seconds * numbers, last_start)
    return starts


def step_probabilities(
    rows: list[tuple[int, int]], window_probabilities_WK: np.ndarray, steps: int
) -> np.ndarray:
    """Probabilities of every step, ``(T, K)``; see :func:`merge_windows`."""
    return merge_windows(rows, window_probabilities_WK[:, None], steps)


def merge_windows(rows: list[tuple[int, int]], values_WLK: np.ndarray, steps: int) -> np.ndarray:
    """One value for every step, ``(T, K)``: the windows over it, each weighing most at its middle.

    The triangular weight puts a change of label where the windows centred on either side differ.

    Args:
        rows: of each window, ``[first, last)``.
        values_WLK: of each window, by its own steps (what is beyond its length is not read); L = 1 where a
            window has one value for all its steps.
        steps: T.
    """
    total_TK = np.zeros((steps, values_WLK.shape[2]))
    weight_T1 = np.zeros((steps, 1))
    for (first, last), values_LK in zip(rows, values_WLK, strict=True):
        length = last - first
        triangle = 1.0 - np.abs(np.arange(length) - (length - 1) / 2) / ((length + 1) / 2)
        total_TK[first:last] += triangle[:, None] * values_LK[:length]
        weight_T1[first:last, 0] += triangle
    # A stride longer than the window leaves steps that no window saw: they take their nearest neighbour's.
    seen = np.flatnonzero(weight_T1[:, 0] > 0)
    nearest = np.searchsorted((seen[1:] + seen[:-1]) / 2, np.arange(steps))
    result: np.ndarray = (total_TK[seen] / weight_T1[seen])[nearest]
    return result


def merge_segments(
    timestamps_seconds: np.ndarray,
    probabilities_TK: np.ndarray,
    labels: tuple[str, ...],
    *,
    minimum_seconds: float,
    end_seconds: float,
) -> tuple[Segment, ...]:
    """Stretches of one label; ones that are too short go to the neighbour that fits them better.

    Args:
        timestamps_seconds: ``(T,)``.
        probabilities_TK: each row sums to 1.
        labels: the K names.
        minimum_seconds: shorter stretches are merged away, the shortest first.
        end_seconds: where the last segment ends.
    """
    if not len(timestamps_seconds):
        return ()
    classes_T = probabilities_TK.argmax(1)
    edges = [0, *(np.flatnonzero(np.diff(classes_T)) + 1).tolist(), len(classes_T)]
    runs = [(a, b, int(classes_T[a])) for a, b in pairwise(edges)]
    bounds = np.append(timestamps_seconds, end_seconds)
    while len(runs) > 1:
        lengths = [bounds[b] - bounds[a] for a, b, _ in runs]
        shortest = int(np.argmin(lengths))
        if lengths[shortest] >= minimum_seconds - 1e-9:
            break
        runs = _absorb(runs, shortest, probabilities_TK)
    return tuple(
        Segment(float(bounds[a]), float(bounds[b]), labels[k], float(probabilities_TK[a:b, k].mean()))
        for a, b, k in runs
    )


def _absorb(
    runs: list[tuple[int, int, int]], index: int, probabilities_TK: np.ndarray
) -> list[tuple[int, int, int]]:
    """Gives one run to the neighbour whose class is likelier over it, and joins runs that now touch."""
    first, last, _ = runs[index]
    neighbours = [runs[i][2] for i in (index - 1, index + 1) if 0 <= i < len(runs)]
    means_K = probabilities_TK[first:last].mean(0)
    taken = max(neighbours, key=lambda k: float(means_K[k]))
    joined: list[tuple[int, int, int]] = []
    for a, b, k in [*runs[:index], (first, last, taken), *runs[index + 1 :]]:
        if joined and joined[-1][2] == k:
            joined[-1] = (joined[-1][0], b, k)
        else:
            joined.append((a, b, k))
    return joined


def mean_between(probabilities_TK: np.ndarray, begins_T: np.ndarray | None) -> np.ndarray:
    """Probabilities that change at boundaries alone, ``(T, K)``: the mean from each one to the next.

    A boundary is a step that begins a segment more likely than its neighbours do, and likelier than not
    (Ishikawa et al. 2021, "Alleviating over-segmentation errors by detecting action boundaries").

    >>> mean_between(np.array([[0.8], [0.6], [0.2], [0.0]]), np.array([0.1, 0.3, 0.9, 0.2])).ravel().tolist()
    [0.7, 0.7, 0.1, 0.1]

    Args:
        probabilities_TK: of the classes.
        begins_T: the probability that a step begins a segment; None changes nothing.
    """
    if begins_T is None or not len(begins_T):
        return probabilities_TK
    before_T, after_T = np.append(np.inf, begins_T[:-1]), np.append(begins_T[1:], -np.inf)
    starts = np.flatnonzero((begins_T > before_T) & (begins_T >= after_T) & (begins_T >= LIKELY))
    starts = np.append(0, starts)
    lengths = np.diff(starts, append=len(begins_T))
    return np.repeat(np.add.reduceat(probabilities_TK, starts) / lengths[:, None], lengths, axis=0)


def mean_iou(predicted: tuple[Segment, ...], truth: tuple[Segment, ...]) -> float:
    """The mean over true segments of the best overlap (intersection over union) with one of their label."""
    if not truth:
        return 0.0
    return float(
        np.mean([max((_iou(p, t) for p in predicted if p.label == t.label), default=0.0) for t in truth])
    )


def _iou(a: Segment, b: Segment) -> float:
    overlap = min(a.end_seconds, b.end_seconds) - max(a.start_seconds, b.start_seconds)
    union = max(a.end_seconds, b.end_seconds) - min(a.start_seconds, b.start_seconds)
    return max(0.0, overlap) / union if union > 0 else 0.0
