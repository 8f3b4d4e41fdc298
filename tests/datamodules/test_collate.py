"""Batches: padding, lengths, cuts, and who gets which sequence."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.datamodules.collate import SPARE, BatchIndices, SequenceDataset


def dataset(lengths: list[int], width: int = 3, **settings: object) -> SequenceDataset:
    ends = torch.tensor(lengths).cumsum(0)
    bounds = torch.stack([ends - torch.tensor(lengths), ends], dim=1)
    rows = torch.arange(int(ends[-1]) * width, dtype=torch.float16).reshape(-1, width) + 1
    return SequenceDataset(rows, bounds, torch.arange(len(lengths)), **settings)


def test_a_batch_is_the_rows_then_zeros() -> None:
    data = dataset([2, 5, 1])
    batch = data[[2, 0, 1]]
    assert batch.x_BTF.shape == (3, 5, 3)
    assert batch.lengths_B.tolist() == [1, 2, 5]
    assert batch.targets.tolist() == batch.index_B.tolist() == [2, 0, 1]
    for row, index, length in zip(batch.x_BTF, [2, 0, 1], [1, 2, 5], strict=True):
        first, last = data.bounds_S2[index].tolist()
        assert torch.equal(row[:length], data.rows_NF[first:last])
        assert not row[length:].any()


def test_a_batch_does_not_share_memory_with_the_table() -> None:
    data = dataset([3])
    data[[0]].x_BTF.zero_()
    assert bool((data.rows_NF > 0).all())


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.data())
def test_batch_composition_changes_no_sequence(lengths: list[int], draw: st.DataObject) -> None:
    data = dataset(lengths)
    chosen = draw.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8))
    together = data[chosen]
    for row, index in enumerate(chosen):
        alone = data[[index]]
        length = int(alone.lengths_B)
        assert int(together.lengths_B[row]) == length
        assert torch.equal(together.x_BTF[row, :length], alone.x_BTF[0])
        assert not together.x_BTF[row, length:].any()


def test_evaluation_cuts_the_middle_out() -> None:
    batch = dataset([9, 4, 3], width=1, max_steps=4)[[0, 1, 2]]
    assert batch.lengths_B.tolist() == [4, 4, 3]
    assert batch.x_BTF[0, :, 0].tolist() == [3, 4, 5, 6]  # rows 1..9; two before, three after
    assert batch.x_BTF[1, :, 0].tolist() == [10, 11, 12, 13]


def test_training_cuts_everywhere_and_a_seed_gives_the_same_cuts() -> None:
    data = dataset([9], width=1, max_steps=4, random_cut=True)

    def starts(seed: int) -> list[float]:
        torch.manual_seed(seed)
        return [float(data[[0]].x_BTF[0, 0, 0]) for _ in range(200)]

    assert starts(0) == starts(0) != starts(1)
    assert set(starts(0)) == {1, 2, 3, 4, 5, 6}  # every place where 4 steps of 9 can start
    assert all(int(data[[0]].lengths_B) == 4 for _ in range(5))


sizes = st.integers(1, 40)


@given(sizes, st.integers(1, 9), st.integers(1, 5))
def test_evaluation_gives_every_sequence_to_one_process(size: int, batch_size: int, world: int) -> None:
    everything: list[int] = []
    for rank in range(world):
        order = BatchIndices(size, batch_size, shuffle=False, rank=rank, world_size=world)
        batches = list(order)
        assert len(batches) == len(order)
        assert all(0 < len(batch) <= batch_size for batch in batches)
        everything += [i for batch in batches for i in batch]
    assert sorted(everything) == list(range(size))


@given(st.integers(5, 40), st.integers(1, 9), st.integers(1, 5), st.integers(0, 3))
def test_training_takes_the_batches_of_one_process_with_a_larger_batch(
    size: int, batch_size: int, world: int, epoch: int
) -> None:
    def batches(batch_size: int, rank: int, world: int) -> list[list[int]]:
        order = BatchIndices(size, batch_size, shuffle=True, seed=1, rank=rank, world_size=world)
        order.set_epoch(epoch)
        assert len(order) == len(list(order))
        return list(order)

    shares = [batches(batch_size, rank, world) for rank in range(world)]
    together = [[i for batch in step for i in batch if i != SPARE] for step in zip(*shares, strict=True)]
    whole = batches(batch_size * world, 0, 1)
    assert [sorted(step) for step in together] == [sorted(step) for step in whole]
    assert all(SPARE not in batch or batch == [SPARE] for share in shares for batch in share)


def test_the_training_order_follows_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        indices = BatchIndices(30, 4, shuffle=True, seed=seed)
        indices.set_epoch(epoch)
        return list(indices)

    assert order(3, 0) == order(3, 0)
    orders = [order(seed, epoch) for seed in range(4) for epoch in range(4)]
    assert len({str(o) for o in orders}) == len(orders), "one seed's epochs are another seed's"


def test_an_empty_sequence_is_a_bug_of_ours() -> None:
    with pytest.raises(AssertionError, match="empty"):
        SequenceDataset(torch.zeros(3, 2), torch.tensor([[0, 3], [3, 3]]), torch.zeros(2).long())


def test_the_mean_of_each_sequence() -> None:
    rows = torch.arange(12, dtype=torch.float16).reshape(6, 2)
    sequences = SequenceDataset(rows, torch.tensor([[0, 2], [2, 3], [3, 6]]), torch.zeros(3).long())
    assert sequences.means().tolist() == [[1, 2], [4, 5], [8, 9]]
