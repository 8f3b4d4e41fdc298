"""Pooling looks at valid steps only, and does what its name says."""

from __future__ import annotations

import pytest
import torch

from vidlstm.models.pooling import POOLINGS, AttentionPooling, build_pooling


@pytest.fixture
def states() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(3, 5, 4), torch.tensor([5, 1, 3])


def expected(name: str, valid_TD: torch.Tensor) -> torch.Tensor:
    return {
        "mean": valid_TD.mean(0),
        "max": valid_TD.amax(0),
        "last": torch.cat([valid_TD[-1, :2], valid_TD[0, 2:]]),
    }[name]


@pytest.mark.parametrize("name", ["mean", "max", "last"])
def test_pools_what_is_valid(name: str, states: tuple[torch.Tensor, torch.Tensor]) -> None:
    y, lengths = states
    pooled = build_pooling(name, 4, bidirectional=True)(y, lengths)
    for row, sequence, length in zip(pooled, y, lengths.tolist(), strict=True):
        torch.testing.assert_close(row, expected(name, sequence[:length]))


def test_last_of_one_direction_is_the_last_valid_step(states: tuple[torch.Tensor, torch.Tensor]) -> None:
    y, lengths = states
    pooled = build_pooling("last", 4, bidirectional=False)(y, lengths)
    assert torch.equal(pooled, torch.stack([y[0, 4], y[1, 0], y[2, 2]]))


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("garbage", [9.0, -9.0])
def test_padded_steps_do_not_matter(
    name: str, garbage: float, states: tuple[torch.Tensor, torch.Tensor]
) -> None:
    y, lengths = states
    pooling = build_pooling(name, 4, bidirectional=True)
    spoiled = y.clone()
    spoiled[1, 1:] = garbage
    spoiled[2, 3:] = garbage
    longer = torch.cat([spoiled, torch.full((3, 4, 4), garbage)], dim=1)
    torch.testing.assert_close(pooling(longer, lengths), pooling(y, lengths))


def test_attention_weights_are_a_mean_over_valid_steps(states: tuple[torch.Tensor, torch.Tensor]) -> None:
    y, lengths = states
    pooling = AttentionPooling(4)
    weights = pooling.weights(y, lengths)
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    assert not weights[1, 1:].any() and not weights[2, 3:].any() and bool((weights[0] > 0).all())
    torch.testing.assert_close(pooling(y, lengths)[1], y[1, 0])
    torch.testing.assert_close(pooling(y, lengths)[0], (weights[0, :, None] * y[0]).sum(0))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="'attention'"):
        build_pooling("atention", 4, bidirectional=True)
