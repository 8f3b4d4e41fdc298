"""Constant velocity and least squares: exact on straight lines, and the benchmark's rows to the digit."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vidlstm.datamodules.path_windows import cut_windows
from vidlstm.datamodules.trajectories import WindowDataset
from vidlstm.datasets.ethucy import SCENES, read_ethucy
from vidlstm.models.kinematic import KINEMATIC, ConstantVelocity, LeastSquares, build_kinematic
from vidlstm.tasks.trajectory.scores import score_baselines

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "ethucy"
ROWS = {
    "constant_velocity": [
        (1.075, 2.282),
        (0.319, 0.614),
        (0.524, 1.165),
        (0.427, 0.952),
        (0.324, 0.724),
        (0.534, 1.148),
    ],
    "least_squares": [
        (1.182, 2.382),
        (0.261, 0.478),
        (0.737, 1.429),
        (0.603, 1.183),
        (0.457, 0.894),
        (0.648, 1.273),
    ],
}


@pytest.mark.parametrize("name", sorted(KINEMATIC))
def test_straight_lines_are_continued_exactly(name: str) -> None:
    step_T = torch.arange(8, dtype=torch.float64)
    velocity_BC = torch.tensor([[1.0, -0.5], [0.0, 0.0], [-2.0, 3.0]], dtype=torch.float64)
    x_BTC = 4 + velocity_BC[:, None] * step_T[:, None]
    truth = 4 + velocity_BC[:, None] * torch.arange(8, 20, dtype=torch.float64)[:, None]
    path = build_kinematic(name, 12)(x_BTC, torch.full((3,), 8))
    torch.testing.assert_close(path, truth)


@pytest.mark.parametrize("name", sorted(KINEMATIC))
def test_padding_changes_nothing(name: str) -> None:
    x_BTC = torch.randn(4, 6, 2, dtype=torch.float64)
    padded = torch.cat([x_BTC, torch.zeros(4, 3, 2)], dim=1)
    model = build_kinematic(name, 5)
    torch.testing.assert_close(model(padded, torch.full((4,), 6)), model(x_BTC, torch.full((4,), 6)))


@pytest.mark.parametrize("name", sorted(KINEMATIC))
def test_one_observed_step_stays(name: str) -> None:
    x_BTC = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]])
    path = build_kinematic(name, 2)(x_BTC, torch.tensor([1]))
    assert path.tolist() == [[[3.0, 4.0], [3.0, 4.0]]]


def test_least_squares_equals_polyfit() -> None:
    x_BTC = torch.randn(3, 8, 2, dtype=torch.float64)
    path = LeastSquares(4)(x_BTC, torch.full((3,), 8))
    for b in range(3):
        for c in range(2):
            slope, height = np.polyfit(np.arange(8), x_BTC[b, :, c].numpy(), 1)
            np.testing.assert_allclose(path[b, :, c], height + slope * np.arange(8, 12))


def test_constant_velocity_uses_the_last_step_alone() -> None:
    x_BTC = torch.tensor([[[9.0, 9.0], [0.0, 0.0], [1.0, 2.0]]])
    assert ConstantVelocity(2)(x_BTC, torch.tensor([3])).tolist() == [[[2.0, 4.0], [3.0, 6.0]]]


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'least_squares'"):
        build_kinematic("least_square", 3)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
def test_the_benchmarks_rows_to_the_printed_digits() -> None:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ROWS}
    for scene in SCENES:
        tables = read_ethucy(SHARED, scene=scene, split="test")
        windows = WindowDataset(tables, cut_windows(tables, steps=20), observed=8)
        for name, row in score_baselines(windows).items():
            found[name].append((row["ade"], row["fde"]))
    for name, rows in found.items():
        rows.append((float(np.mean([a for a, _ in rows])), float(np.mean([f for _, f in rows]))))
        assert [(round(a, 3), round(f, 3)) for a, f in rows] == ROWS[name], name
