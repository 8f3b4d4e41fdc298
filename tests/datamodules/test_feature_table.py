"""The table of all features: in memory or mapped, and the rows that stretches of time fall on."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.features import FPS, clips_of, fake_store, noise_sequences, put
from vidlstm.datamodules.actions import ActionData
from vidlstm.datamodules.feature_table import FeatureTable
from vidlstm.features.given import GivenFeatures, GivenStore
from vidlstm.features.store import FeatureStore
from vidlstm.structures import FeatureSequence


@pytest.fixture
def sequences() -> list[FeatureSequence]:
    return noise_sequences([4, 7, 1, 5], 6)


def test_the_rows_are_the_sequences_one_after_another(
    tmp_path: Path, sequences: list[FeatureSequence]
) -> None:
    store = fake_store(tmp_path, 6)
    hashes = [put(store, str(i), s) for i, s in enumerate(sequences)]
    table = FeatureTable(store, [hashes[1], hashes[0], hashes[1], hashes[2]])
    assert table.rows_NF.shape == (12, 6) and table.rows_NF.is_contiguous() and not table.is_mapped
    for number in (1, 0, 2):
        first, last = table.rows_of(hashes[number], None, None)
        assert np.array_equal(table.rows_NF[first:last].numpy(), sequences[number].features)


def test_mapped_and_in_memory_give_the_same_batches(tmp_path: Path, sequences: list[FeatureSequence]) -> None:
    store = fake_store(tmp_path, 6)
    records, hashes = clips_of(store, sequences, ["a", "b", "a", "b"])

    def batches(map_above_bytes: int | None) -> list[torch.Tensor]:
        data = ActionData(
            store,
            hashes,
            ("a", "b"),
            train=records[:3],
            validation=records[3:],
            batch_size=2,
            map_above_bytes=map_above_bytes,
        )
        assert data.table.is_mapped == (map_above_bytes == 0)
        both = [*data.train_dataloader(), *data.val_dataloader()]
        return [t for b in both for t in (b.x_BTF, b.lengths_B, b.targets, b.index_B)]

    mapped, in_memory = batches(0), batches(None)
    assert len(mapped) == len(in_memory) == 12
    assert all(torch.equal(a, b) for a, b in zip(mapped, in_memory, strict=True))


def test_a_mapped_table_leaves_no_file_behind(tmp_path: Path, sequences: list[FeatureSequence]) -> None:
    store = fake_store(tmp_path, 6)
    hashes = [put(store, str(i), s) for i, s in enumerate(sequences)]
    before = sorted(tmp_path.rglob("*"))
    table = FeatureTable(store, hashes, map_above_bytes=0)
    assert table.is_mapped and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("given", [False, True], ids=["extracted", "given"])
def test_hours_of_features_are_held_once(tmp_path: Path, given: bool) -> None:
    """The table is torch's, which is not traced here: nothing of its size stands beside it while it fills."""
    (sequence,) = noise_sequences([20_000], 64)
    store: FeatureStore | GivenStore = fake_store(tmp_path, 64)
    if given:
        np.save(path := tmp_path / "long.npy", sequence.features)
        store = GivenStore(GivenFeatures(64, "TF", FPS, device="cpu"), [path], tmp_path)
        hashes = list(store.report.hashes.values())
    else:
        hashes = [put(store, "long", sequence)]
    tracemalloc.start()
    table = FeatureTable(store, hashes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(table.rows_NF.numpy(), sequence.features)
    assert peak < sequence.features.nbytes / 2


@pytest.mark.parametrize("begin", [0.0, 8.33], ids=["from zero", "from 8.33 s"])
@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        (None, None, (0, 10)),
        (0.0, None, (0, 10)),
        (0.3, None, (3, 10)),
        (0.31, None, (4, 10)),
        (None, 0.3, (0, 3)),  # the end is not part of the clip
        (None, 0.31, (0, 4)),
        (0.2, 0.5, (2, 5)),
        (0.2, 99.0, (2, 10)),
        (0.41, 0.49, (5, 5)),  # between two frames
        (2.0, 3.0, (10, 10)),
    ],
)
def test_seconds_cut_the_right_rows(
    tmp_path: Path, begin: float, start: float | None, end: float | None, rows: tuple[int, int]
) -> None:
    store = fake_store(tmp_path, 2)
    other = put(store, "other", noise_sequences([3], 2)[0])
    video = put(store, "video", noise_sequences([10], 2, start_seconds=begin)[0])
    table = FeatureTable(store, [other, video])
    first, last = table.rows_of(
        video, None if start is None else begin + start, None if end is None else begin + end
    )
    assert (first - 3, last - 3) == rows


def test_durations(tmp_path: Path) -> None:
    store = fake_store(tmp_path, 2)
    video = put(store, "video", noise_sequences([11], 2, start_seconds=5.0)[0])
    assert FeatureTable(store, [video]).duration_of(video) == pytest.approx(1.0)
