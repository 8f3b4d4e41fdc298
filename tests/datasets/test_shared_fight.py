"""The real fight clips, where they lie beside the checkout."""

from __future__ import annotations

import warnings
from collections import defaultdict
from pathlib import Path

import pytest

from vidlstm.datasets import ClipDataset, load_dataset, split_records

FIGHT = Path(__file__).parents[3] / "shared" / "data" / "fight"
pytestmark = pytest.mark.skipif(not (FIGHT / "clips.csv").is_file(), reason="../shared is absent")


@pytest.fixture(scope="module")
def fight() -> ClipDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_dataset("csv", FIGHT, FIGHT / "clips.csv")


def test_counts(fight: ClipDataset) -> None:
    assert len(fight.records) == 249
    assert fight.labels == ("fight", "noFight")
    assert {r.fold for r in fight.records} == {0, 1, 2, 3, 4}


def test_no_group_in_two_folds(fight: ClipDataset) -> None:
    folds = defaultdict(set)
    for record in fight.records:
        folds[record.group].add(record.fold)
    assert all(len(numbers) == 1 for numbers in folds.values())


@pytest.mark.parametrize("fold", range(5))
def test_every_fold_splits_without_a_warning(fight: ClipDataset, fold: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split = split_records(fight, fold=fold, validation_fraction=0.2, seed=0)
    assert len(split.train) + len(split.validation) == 249 and not split.test


def test_held_out_groups(fight: ClipDataset) -> None:
    for seed in range(5):
        split = split_records(fight, fold=None, validation_fraction=0.2, seed=seed)
        assert not {r.group for r in split.train} & {r.group for r in split.validation}
        assert 0.15 < len(split.validation) / 249 < 0.26


def test_as_folders(fight: ClipDataset) -> None:
    folder = load_dataset("folder", FIGHT)
    assert {(r.path, r.label) for r in folder.records} == {(r.path, r.label) for r in fight.records}
