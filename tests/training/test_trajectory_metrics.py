"""Each metric on a case small enough to work out by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde

from vidlstm.training.trajectory_metrics import (
    best_of_k,
    box_iou,
    collides,
    curvature,
    displacement_errors,
    kde_nll,
    missed,
    speed,
)


def test_displacement_errors() -> None:
    truth = torch.zeros(1, 2, 2)
    path = torch.tensor([[[3.0, 4.0], [0.0, 1.0]]])
    errors = displacement_errors(path, truth)
    assert errors["ade"].item() == 3.0
    assert errors["fde"].item() == 1.0


def test_best_of_k_names_both_rules() -> None:
    truth = torch.zeros(1, 2, 2)
    near_on_average = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    near_at_the_end = torch.tensor([[9.0, 0.0], [1.0, 0.0]])
    best = best_of_k(torch.stack([near_on_average, near_at_the_end])[None], truth)
    assert {k: v.item() for k, v in best.items()} == {
        "min_ade": 2.0,
        "min_fde": 1.0,
        "joint_ade": 2.0,
        "joint_fde": 3.0,
        "endpoint_ade": 5.0,
    }


def test_missed_is_beyond_the_radius() -> None:
    truth = torch.zeros(2, 3, 2)
    paths = torch.zeros(2, 2, 3, 2)
    paths[0, :, -1, 0] = torch.tensor([2.5, 2.0])
    paths[1, :, -1, 0] = torch.tensor([2.5, 2.1])
    assert missed(paths, truth).tolist() == [0.0, 1.0]


def test_collisions_only_within_a_scene_and_between_steps() -> None:
    right = torch.stack([torch.arange(3.0), torch.zeros(3)], -1)
    left = torch.stack([1 - torch.arange(3.0), torch.zeros(3)], -1)  # they pass through each other at x = 0.5
    far = right + 10
    paths = torch.stack([right, left, far, right])
    assert collides(paths, torch.tensor([0, 0, 0, 1])).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert collides(paths[:2], torch.tensor([0, 0]), parts=1).tolist() == [0.0, 0.0]


def test_kde_nll_equals_scipy() -> None:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(2, 60, 3, 2, generator=generator).double() * torch.tensor([1.0, 0.3])
    truth = 0.3 * torch.randn(2, 3, 2, generator=generator).double()
    expected = [
        -np.mean([gaussian_kde(samples[b, :, p].T.numpy()).logpdf(truth[b, p].numpy())[0] for p in range(3)])
        for b in range(2)
    ]
    np.testing.assert_allclose(kde_nll(samples, truth).numpy(), expected, rtol=1e-5)


def test_kde_nll_is_floored() -> None:
    samples = torch.randn(1, 30, 1, 2, generator=torch.Generator().manual_seed(0))
    assert kde_nll(samples, torch.full((1, 1, 2), 1e4)).item() == 20.0


def test_box_iou() -> None:
    box = torch.tensor([[[0.0, 0.0, 2.0, 2.0]]])
    moved = torch.tensor([[[1.0, 0.0, 2.0, 2.0]]])
    assert box_iou(box, box).item() == 1.0
    assert box_iou(box, moved).item() == pytest.approx(1 / 3)
    assert box_iou(box, moved + torch.tensor([5.0, 0, 0, 0])).item() == 0.0
    assert box_iou(box * torch.tensor([1.0, 1, -1, 1]), box).item() == 0.0


def test_speed_and_curvature() -> None:
    straight = torch.tensor([[[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]])
    assert speed(straight).item() == 5.0
    assert curvature(straight).item() == pytest.approx(0.0, abs=1e-6)
    angle = torch.linspace(0, math.pi, 50)
    half_circle = torch.stack([angle.cos(), angle.sin()], -1)[None]
    assert curvature(half_circle).item() == pytest.approx(1 / math.pi, rel=1e-2)
    assert curvature(torch.zeros(1, 4, 2)).item() == 0.0
