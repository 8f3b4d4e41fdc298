"""The trivial rows every learned result is printed beside: majority class, logistic regression on means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def majority_class(train_targets: np.ndarray, count: int) -> np.ndarray:
    """The most frequent training class, ``count`` times; the lowest index where several tie."""
    return np.full(count, np.bincount(train_targets).argmax())


def logistic_regression(
    train_x: np.ndarray, train_targets: np.ndarray, test_x: np.ndarray, *, c: float = 0.01
) -> np.ndarray:
    """Predicted classes of a multinomial logistic regression on standardised features.

    Args:
        train_x, test_x: ``(S, F)``.
        train_targets: ``(S,)``.
        c: inverse strength of the L2 penalty; 0.01 suits some hundred clips of some thousand features.
    """
    return late_regression([train_x], train_targets, [test_x], c=c)


def late_regression(
    train_parts: Sequence[np.ndarray],
    train_targets: np.ndarray,
    test_parts: Sequence[np.ndarray],
    *,
    c: float = 0.01,
) -> np.ndarray:
    """Predicted classes of one :func:`logistic_regression` a part, their log-probabilities added.

    Args:
        train_parts, test_parts: ``(S, F)`` of each part.
        train_targets: ``(S,)``.
        c: of each.
    """
    from scipy.special import log_softmax
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes = np.unique(train_targets)
    if len(classes) < 2:
        return majority_class(train_targets, len(test_parts[0]))
    votes_SK = np.zeros((len(test_parts[0]), len(classes)))
    for train_x, test_x in zip(train_parts, test_parts, strict=True):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))
        margins = model.fit(train_x, train_targets).decision_function(test_x)  # of two classes: one column
        logits_SK = margins if margins.ndim == 2 else np.stack([np.zeros_like(margins), margins], axis=1)
        votes_SK += log_softmax(logits_SK, axis=1)  # predict_log_proba would say minus infinity to the sure
    predicted: np.ndarray = classes[votes_SK.argmax(1)]
    return predicted


def score(predicted: np.ndarray, truth: np.ndarray, num_classes: int) -> dict[str, float]:
    """Accuracy, mean-class accuracy and macro F1 of predicted classes; classes without truth are left out."""
    from sklearn.metrics import f1_score

    present = np.unique(truth)
    recalls = [(predicted[truth == k] == k).mean() for k in present]
    return {
        "accuracy": float((predicted == truth).mean()),
        "mean_class_accuracy": float(np.mean(recalls)),
        "macro_f1": float(
            f1_score(
                truth, predicted, labels=np.arange(num_classes)[present], average="macro", zero_division=0
            )
        ),
    }
