"""The trivial rows beside every network that labels steps."""

from __future__ import annotations

import numpy as np
import pytest

from vidlstm.training.step_baselines import (
    by_relative_time,
    commonest_class,
    step_regression,
    window_description,
)

TRUTH = [np.array([0, 0, 0, 1, -1]), np.array([0, 0, 1, 1])]


def test_the_commonest_class_says_how_common_each_is() -> None:
    (said,) = commonest_class(TRUTH, [2], 3)
    assert said == pytest.approx(np.array([[5 / 8, 3 / 8, 0]] * 2))


def test_the_time_in_a_video_tells_the_class() -> None:
    (said,) = by_relative_time(TRUTH, [40], 2)
    assert said.shape == (40, 2)
    assert said.sum(1) == pytest.approx(np.ones(40))
    assert said[[0, 10, 31]].argmax(1).tolist() == [0, 0, 1]


def test_a_regression_reads_single_steps() -> None:
    rng = np.random.default_rng(0)
    truth = [rng.integers(0, 3, 50) for _ in range(2)]
    x = [np.eye(3)[t] + 0.1 * rng.normal(size=(50, 3)) for t in truth]
    unknown = [np.where(np.arange(50) < 5, -1, t) for t in truth]
    said = step_regression(x, unknown, x, 4, c=1.0)
    assert all((p.argmax(1) == t).mean() > 0.95 for p, t in zip(said, truth, strict=True))
    assert said[0][:, 3].max() == 0  # a class that is never seen


def test_one_class_alone_needs_no_regression() -> None:
    (said,) = step_regression([np.zeros((3, 2))], [np.array([1, 1, -1])], [np.zeros((2, 2))], 2)
    assert said.tolist() == [[0, 1], [0, 1]]


def test_a_window_is_described_by_its_mean_and_its_changes() -> None:
    x = np.array([[0.0], [2.0], [4.0], [4.0]])
    described = window_description(3)(x)
    assert described[:, 0].tolist() == pytest.approx([1, 2, 10 / 3, 4])  # shorter at the ends
    assert described[:, 1].tolist() == pytest.approx([1, 4 / 3, 4 / 3, 1])
