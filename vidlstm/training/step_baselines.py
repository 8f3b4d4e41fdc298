"""The trivial rows that every network labelling steps is printed beside; each gives probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNKNOWN = -1
MOST_STEPS = 4000
"""That a regression learns from, evenly taken: neighbouring steps are alike, and more take minutes."""
TIME_BINS = 20
"""Parts that the length of a video is divided into by :func:`by_relative_time`."""


def commonest_class(truth: Sequence[np.ndarray], lengths: Sequence[int], classes: int) -> list[np.ndarray]:
    """Every step gets the shares of the classes in the training steps.

    Args:
        truth: class numbers ``(T,)`` of each training video; -1 is unknown.
        lengths: steps of each video to predict.
        classes: K.
    """
    steps = np.concatenate(list(truth))
    shares_K = np.bincount(steps[steps != UNKNOWN], minlength=classes) / max(1, (steps != UNKNOWN).sum())
    return [np.tile(shares_K, (length, 1)) for length in lengths]


def by_relative_time(truth: Sequence[np.ndarray], lengths: Sequence[int], classes: int) -> list[np.ndarray]:
    """The shares of the classes at this part of a video's length; arguments as above."""
    counts_QK = np.zeros((TIME_BINS, classes))
    for truth_T in truth:
        known = np.flatnonzero(truth_T != UNKNOWN)
        np.add.at(counts_QK, (known * TIME_BINS // len(truth_T), truth_T[known]), 1)
    empty_Q = counts_QK.sum(1) == 0
    counts_QK[empty_Q] = counts_QK.sum(0)
    shares_QK = counts_QK / counts_QK.sum(1, keepdims=True)
    return [shares_QK[np.arange(length) * TIME_BINS // max(1, length)] for length in lengths]


def step_regression(
    train: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    videos: Sequence[np.ndarray],
    classes: int,
    *,
    describe: Callable[[np.ndarray], np.ndarray] = np.asarray,
    c: float = 0.01,
) -> list[np.ndarray]:
    """A multinomial logistic regression on standardised features of single steps.

    Args:
        train, videos: features ``(T, F)`` of each video.
        truth: class numbers ``(T,)`` of the training videos; -1 is unknown.
        classes: K.
        describe: what is read of a video's features, ``(T, G)``.
        c: inverse strength of the L2 penalty.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    total = sum(int((t != UNKNOWN).sum()) for t in truth)
    every = -(-total // MOST_STEPS) or 1
    taken = [np.flatnonzero(t != UNKNOWN)[::every] for t in truth]
    y = np.concatenate([t[rows] for t, rows in zip(truth, taken, strict=True)])
    if len(np.unique(y)) < 2:
        return commonest_class(truth, [len(x) for x in videos], classes)
    x = np.concatenate([describe(x)[rows] for x, rows in zip(train, taken, strict=True)]).astype(np.float32)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(x, y)
    result = []
    for video in videos:
        chances_TK = np.zeros((len(video), classes))
        chances_TK[:, model.classes_] = model.predict_proba(describe(video).astype(np.float32))
        result.append(chances_TK)
    return result


def window_description(steps: int) -> Callable[[np.ndarray], np.ndarray]:
    """What a clip classifier without order reads of the window around each step: mean and mean change.

    Args:
        steps: of the window; it is shorter where it would reach beyond an end.
    """

    def describe(x_TF: np.ndarray) -> np.ndarray:
        x = x_TF.astype(np.float32)
        change = np.abs(np.diff(x, axis=0, prepend=x[:1]))
        return np.concatenate([_moving_mean(x, steps), _moving_mean(change, steps)], axis=1)

    return describe


def _moving_mean(x_TF: np.ndarray, steps: int) -> np.ndarray:
    sums = np.concatenate([np.zeros((1, x_TF.shape[1])), x_TF.cumsum(0, dtype=np.float64)])
    first = np.arange(len(x_TF)) - steps // 2
    first, last = np.maximum(first, 0), np.minimum(first + steps, len(x_TF))
    means: np.ndarray = (sums[last] - sums[first]) / (last - first)[:, None]
    return means
