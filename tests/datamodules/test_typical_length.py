"""The unit of length of a forecaster: the median step, and what stands in for it where most stand still."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidlstm.datamodules.trajectories import typical_length


@pytest.mark.parametrize("size", [7, 8, 501])
def test_where_most_move_it_is_the_median_as_ever(size: int) -> None:
    steps = torch.rand(size, generator=torch.Generator().manual_seed(size)) + 0.1
    assert typical_length(steps.numpy()) == float(steps.median())


@pytest.mark.parametrize(("walking", "still"), [(2, 0.0), (160, 0.0), (160, 1e-9)])
def test_where_most_stand_it_is_that_of_those_that_walk(walking: int, still: float) -> None:
    """Two of a thousand, or one of six; rounding errors are no movement."""
    steps = np.full((1000, 1), still)
    steps[:walking] = 4.0
    assert typical_length(steps) == 4.0


def test_one_jump_of_a_tracker_changes_nothing() -> None:
    assert typical_length(np.array([0.5] * 300 + [1e4])) == 0.5


@pytest.mark.parametrize("steps", [[], [0.0, 0.0]])
def test_where_nothing_moves_there_is_none(steps: list[float]) -> None:
    assert typical_length(np.array(steps)) is None
