"""Bags of sequences: whole bags in a batch, every sequence with its own bag, whatever the order."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.datamodules.bags import BagDataset

LENGTHS = [[2, 5], [1], [3, 3, 4]]


def dataset(bags: list[list[int]], **settings: object) -> BagDataset:
    """Row n of the table is n + 1, n + 1; a bag's class is its own number."""
    lengths = torch.tensor([length for bag in bags for length in bag])
    ends = lengths.cumsum(0)
    rows = torch.arange(1, int(ends[-1]) + 1, dtype=torch.float16)[:, None].expand(-1, 2)
    return BagDataset(
        rows,
        torch.stack([ends - lengths, ends], 1),
        torch.tensor([len(bag) for bag in bags]),
        torch.arange(len(bags)),
        **settings,
    )


def test_a_batch_is_whole_bags() -> None:
    batch = dataset(LENGTHS)[[2, 0]]
    assert batch.lengths_B.tolist() == [3, 3, 4, 2, 5]
    assert batch.extras["bag_B"].tolist() == [0, 0, 0, 1, 1]
    assert batch.targets.tolist() == batch.index_B.tolist() == [2, 0]
    assert batch.x_BTF[0, :, 0].tolist() == [9, 10, 11, 0, 0]
    assert batch.x_BTF[4, :, 0].tolist() == [3, 4, 5, 6, 7]


@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_what_shares_the_batch_changes_no_bag(bags: list[list[int]], draw: st.DataObject) -> None:
    data = dataset(bags)
    chosen = draw.draw(st.lists(st.integers(0, len(bags) - 1), min_size=1, max_size=6))
    together = data[chosen]
    bag_B = together.extras["bag_B"]
    assert bag_B.tolist() == sorted(bag_B.tolist())
    assert bag_B.unique().tolist() == list(range(len(chosen))), "from 0, none left out"
    for place, bag in enumerate(chosen):
        alone, mine = data[[bag]], bag_B == place
        assert together.lengths_B[mine].tolist() == alone.lengths_B.tolist() == bags[bag]
        steps = alone.x_BTF.shape[1]
        assert torch.equal(together.x_BTF[mine, :steps], alone.x_BTF)
        assert not together.x_BTF[mine, steps:].any()
        assert together.targets[place] == bag


def test_means_are_over_all_steps_of_a_bag() -> None:
    assert dataset(LENGTHS).means()[:, 0].tolist() == [4.0, 8.0, 13.5]
    assert len(dataset(LENGTHS)) == 3


def test_each_sequence_is_cut_by_itself() -> None:
    batch = dataset(LENGTHS, max_steps=3)[[0, 2]]
    assert batch.lengths_B.tolist() == [2, 3, 3, 3, 3]
    assert batch.x_BTF[1, :, 0].tolist() == [4, 5, 6]  # the middle
    random = dataset([[9, 9]], max_steps=2, random_cut=True)
    torch.manual_seed(0)
    starts = {tuple(random[[0]].x_BTF[:, 0, 0].tolist()) for _ in range(100)}
    assert len(starts) > 30 and {a for a, _ in starts} == {float(n) for n in range(1, 9)}


def test_an_empty_bag_is_a_bug_of_ours() -> None:
    with pytest.raises(AssertionError, match="empty bag"):
        BagDataset(torch.zeros(2, 1), torch.tensor([[0, 2]]), torch.tensor([1, 0]), torch.zeros(2).long())
