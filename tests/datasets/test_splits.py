"""Splits: whole groups, every clip once, the same for the same seed whatever the order."""

from __future__ import annotations

import random
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vidlstm.datasets import ClipDataset, ClipRecord, Split, split_records
from vidlstm.datasets.splits import bundles
from vidlstm.errors import DatasetError


def clip(name: str, label: str, **fields: object) -> ClipRecord:
    return ClipRecord(**{"path": Path("/d") / name, "label": label, "name": name, **fields})


def dataset(*records: ClipRecord, official_fold: int | None = None) -> ClipDataset:
    return ClipDataset(tuple(records), tuple(sorted({r.label for r in records})), official_fold=official_fold)


def cut(data: ClipDataset, fold: int | None = None, fraction: float = 0.25, seed: int = 0) -> Split:
    return split_records(data, fold=fold, validation_fraction=fraction, seed=seed)


def names(records: tuple[ClipRecord, ...]) -> list[str]:
    return [record.name for record in records]


@st.composite
def datasets(draw: st.DrawFn) -> ClipDataset:
    """Up to 40 clips of up to 3 classes; some share a file, some a group, some both."""
    count = draw(st.integers(4, 40))
    records = []
    for i in range(count):
        file = draw(st.integers(0, count))
        group = draw(st.none() | st.integers(0, count // 2).map("g{}".format))
        label = draw(st.sampled_from(["a", "b", "c"]))
        records.append(clip(f"{file}.mp4", label, start_seconds=float(i), end_seconds=i + 1.0, group=group))
    return dataset(*records)


def try_to_cut(data: ClipDataset, fraction: float, seed: int) -> Split:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class may be absent from validation
        try:
            return cut(data, fraction=fraction, seed=seed)
        except DatasetError as error:
            assert "nothing can be held out" in str(error)
            assume(False)
            raise


@settings(max_examples=60)
@given(data=datasets(), fraction=st.floats(0.05, 0.6), seed=st.integers(0, 9), shuffle=st.randoms())
def test_a_split_keeps_sources_together_and_uses_every_clip_once(
    data: ClipDataset, fraction: float, seed: int, shuffle: random.Random
) -> None:
    split = try_to_cut(data, fraction, seed)
    assert Counter(split.train + split.validation + split.test) == Counter(data.records)
    assert split.test == ()
    for source in ("group", "path"):
        left, right = (
            {getattr(r, source) for r in side} - {None} for side in (split.train, split.validation)
        )
        assert not left & right
    assert {r.label for r in split.train} == set(data.labels)
    shuffled = list(data.records)
    shuffle.shuffle(shuffled)
    again = try_to_cut(ClipDataset(tuple(shuffled), data.labels), fraction, seed)
    assert (again.train, again.validation) == (split.train, split.validation)


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(4, 60), min_size=1, max_size=4),
    fraction=st.floats(0.1, 0.6),
    seed=st.integers(0, 9),
)
def test_without_groups_every_class_gives_its_share(counts: list[int], fraction: float, seed: int) -> None:
    records = [
        clip(f"{label}{i}.mp4", f"label{label}") for label, count in enumerate(counts) for i in range(count)
    ]
    held = Counter(r.label for r in cut(dataset(*records), fraction=fraction, seed=seed).validation)
    for label, count in enumerate(counts):
        assert abs(held[f"label{label}"] - fraction * count) <= 0.5 or held[f"label{label}"] == 1


def test_groups_of_mixed_classes_come_near_the_share_in_each() -> None:
    rng = random.Random(5)
    records = [
        clip(f"{group}_{i}.mp4", rng.choice("ab"), group=f"g{group}")
        for group in range(40)
        for i in range(rng.randint(1, 12))
    ]
    total = Counter(r.label for r in records)
    for seed in range(20):
        held = Counter(r.label for r in cut(dataset(*records), fraction=0.2, seed=seed).validation)
        for label in "ab":
            assert abs(held[label] / total[label] - 0.2) < 0.06


def test_seeds_differ() -> None:
    data = dataset(*(clip(f"{i}.mp4", "ab"[i % 2]) for i in range(40)))
    assert len({frozenset(names(cut(data, seed=seed).validation)) for seed in range(10)}) == 10


def test_sharing_passes_through_files_and_groups() -> None:
    records = [
        clip("1.mp4", "a", group="g1"),
        clip("1.mp4", "a", group="g2", start_seconds=5.0),
        clip("2.mp4", "a", group="g2"),
        clip("2.mp4", "a", start_seconds=5.0),
        clip("3.mp4", "a"),
        clip("g1", "a"),  # a file that is called like a group
    ]
    assert sorted(len(bundle) for bundle in bundles(records)) == [1, 1, 4]


def test_every_class_is_validated_where_it_can_be() -> None:
    records = [clip(f"{i}.mp4", "many") for i in range(30)]
    records += [clip(f"few{i}.mp4", "few", group=f"g{i // 5}") for i in range(10)]
    split = cut(dataset(*records), fraction=0.1)
    assert Counter(r.label for r in split.validation) == {"many": 3, "few": 5}


def test_a_class_of_one_source_is_trained_on_and_missed_in_validation() -> None:
    records = [clip(f"{i}.mp4", "many") for i in range(8)]
    records += [clip(f"few{i}.mp4", "few", group="g") for i in range(3)]
    with pytest.warns(UserWarning, match="no validation clip of class few"):
        split = cut(dataset(*records))
    assert Counter(r.label for r in split.train) == {"many": 6, "few": 3}


def test_nothing_to_hold_out() -> None:
    records = [clip(f"{label}{i}.mp4", label, group=label) for label in "ab" for i in range(5)]
    with pytest.raises(DatasetError, match=r"nothing can be held out: .*with a split or a fold"):
        cut(dataset(*records))


def test_nothing_is_held_out_for_a_fraction_of_zero() -> None:
    split = cut(dataset(*(clip(f"{i}.mp4", "a") for i in range(3))), fraction=0.0)
    assert (len(split.train), split.validation, split.test) == (3, (), ())


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(DatasetError, match=r"`data\.validation_fraction` must be in \[0, 1\)"):
        cut(dataset(clip("1.mp4", "a")), fraction=fraction)


def test_a_fold_is_held_out_and_the_rest_trains() -> None:
    records = [clip(f"{i}.mp4", "ab"[i % 2], fold=i // 4) for i in range(12)]
    records += [clip("none.mp4", "a")]
    split = cut(dataset(*records), fold=1)
    assert set(names(split.validation)) == {f"{i}.mp4" for i in range(4, 8)}
    assert len(split.train) == 9 and "none.mp4" in names(split.train)


def test_a_fold_leaves_test_clips_alone() -> None:
    records = [clip(f"{i}.mp4", "a", fold=i % 2, split="test" if i < 2 else None) for i in range(8)]
    split = cut(dataset(*records), fold=0)
    assert names(split.test) == ["0.mp4", "1.mp4"]
    assert names(split.validation) == ["2.mp4", "4.mp4", "6.mp4"]


def test_a_fold_of_nothing_but_test_clips_is_no_fold() -> None:
    records = [clip(f"{i}.mp4", "a", fold=i, split="test" if i == 2 else "train") for i in range(3)]
    with pytest.raises(DatasetError, match=r"there is no fold 2; `data\.fold` can be 0, 1"):
        cut(dataset(*records), fold=2)


def test_an_unknown_fold_names_the_others() -> None:
    data = dataset(*(clip(f"{i}.mp4", "a", fold=i) for i in (4, 0, 2)))
    with pytest.raises(DatasetError, match=r"there is no fold 1; `data\.fold` can be 0, 2, 4"):
        cut(data, fold=1)


def test_a_fold_where_there_is_none() -> None:
    with pytest.raises(DatasetError, match=r"no clip has a fold; drop `data\.fold` or add the column 'fold'"):
        cut(dataset(clip("1.mp4", "a")), fold=0)


def test_another_official_split_than_the_one_that_was_read() -> None:
    data = dataset(clip("1.mp4", "a", split="train"), official_fold=1)
    with pytest.raises(DatasetError, match=r"these clips are official split 1; `data\.fold` says 2"):
        cut(data, fold=2)


SIDES = ("train", "train", "train", "train", "validation", "test")


def test_a_given_split_is_taken_as_written() -> None:
    data = dataset(*(clip(f"{i}.mp4", "a", split=side) for i, side in enumerate(SIDES)))
    split = cut(data, fraction=0.9)
    assert [names(s) for s in (split.train, split.validation, split.test)] == [
        ["0.mp4", "1.mp4", "2.mp4", "3.mp4"],
        ["4.mp4"],
        ["5.mp4"],
    ]


def test_validation_is_cut_from_train_where_only_test_is_given() -> None:
    records = [
        clip(f"{i:02d}.mp4", "a", group=f"g{i // 2}", split="train" if i < 8 else "test") for i in range(12)
    ]
    split = cut(dataset(*records), fraction=0.25)
    assert names(split.test) == ["08.mp4", "09.mp4", "10.mp4", "11.mp4"]
    assert len(split.validation) == 2 and len({r.group for r in split.validation}) == 1
    assert len(split.train) == 6


def test_a_split_without_training_clips() -> None:
    with pytest.raises(DatasetError, match="no clip is marked train"):
        cut(dataset(clip("1.mp4", "a", split="test")))


def test_a_split_with_gaps() -> None:
    with pytest.raises(DatasetError, match=r"clips without a split beside clips with one; .*:\n  2.mp4"):
        cut(dataset(clip("1.mp4", "a", split="train"), clip("2.mp4", "a")))


def test_an_empty_class() -> None:
    data = dataset(clip("1.mp4", "a", split="train"), clip("2.mp4", "b", split="validation"))
    with pytest.raises(DatasetError, match=r"empty class, no training clip: b; .*`data\.fold`"):
        cut(data)


def test_a_class_without_validation() -> None:
    data = dataset(*(clip(f"{i}.mp4", "ab"[i // 2], fold=i) for i in range(4)))
    with pytest.warns(UserWarning, match="no validation clip of class b"):
        cut(data, fold=0)


@pytest.mark.parametrize("by", ["fold", "split"])
def test_a_source_on_both_sides_is_named(by: str) -> None:
    sides = {"fold": (0, 1), "split": ("train", "validation")}[by]
    records = [clip(f"{i:02d}.mp4", "a", group=f"g{i // 2}", **{by: sides[i % 2]}) for i in range(16)]
    with pytest.warns(UserWarning) as caught:
        cut(dataset(*records), fold=1 if by == "fold" else None)
    (message,) = (str(w.message) for w in caught)
    assert message.startswith("16 clips share a source with clips on another side of the given split")
    assert "\n  00.mp4 (train, group g0)\n  01.mp4 (validation, group g0)\n" in message
    assert "09.mp4" in message and "10.mp4" not in message and "... and 6 more, 16 in all" in message


def test_a_file_on_both_sides_is_named() -> None:
    records = [
        clip("1.mp4", "a", start_seconds=float(i), split=side) for i, side in enumerate(("train", "test"))
    ]
    records += [clip("2.mp4", "a", split="train")]
    with pytest.warns(UserWarning, match=r"2 clips share .*\n  1.mp4 \(train\)\n  1.mp4 \(test\)$"):
        cut(dataset(*records), fraction=0.0)


def test_a_clean_split_warns_of_nothing() -> None:
    records = [clip(f"{i}.mp4", "ab"[i % 2], group=f"g{i // 2}", fold=i // 4) for i in range(12)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split = cut(dataset(*records), fold=2)
    assert repr(split) == "Split(8 train, 4 validation, 0 test)"
    sides = defaultdict(set)
    for side in ("train", "validation"):
        for record in getattr(split, side):
            sides[record.group].add(side)
    assert all(len(both) == 1 for both in sides.values())
