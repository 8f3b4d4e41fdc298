"""What every format must do, on folders laid out like the real ones."""

from __future__ import annotations

import warnings
from collections import defaultdict
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from tests.fakes.layouts import LAYOUTS, Layout
from vidlstm.datasets import DATASETS, ClipDataset, load_dataset, split_records
from vidlstm.errors import DatasetError
from vidlstm.settings import ActionDataSettings


@pytest.fixture(params=LAYOUTS)
def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Layout, ClipDataset]:
    format, make = LAYOUTS[request.param]
    layout = make(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a sound dataset warns of nothing
        return format, layout, load_dataset(format, **layout.arguments)


def test_every_format_has_a_layout() -> None:
    assert {format for format, _ in LAYOUTS.values()} == set(DATASETS)


def test_finds_every_clip_with_its_label_and_side(loaded: tuple[str, Layout, ClipDataset]) -> None:
    _, layout, dataset = loaded
    assert {record.name: record.label for record in dataset.records} == layout.label_of
    assert {record.name: record.split for record in dataset.records} == layout.sides
    assert dataset.labels == layout.labels
    assert len(dataset.records) == len(layout.label_of)


def test_paths_are_absolute_and_there(loaded: tuple[str, Layout, ClipDataset]) -> None:
    _, layout, dataset = loaded
    for record in dataset.records:
        assert record.path.is_absolute() and record.path.exists()
        assert record.path == Path(layout.arguments["root"]) / record.name


def test_groups_are_the_sources(loaded: tuple[str, Layout, ClipDataset]) -> None:
    _, layout, dataset = loaded
    groups = defaultdict(set)
    for record in dataset.records:
        if record.group is not None:
            groups[record.group].add(record.name)
    if layout.groups:
        assert sorted(map(sorted, groups.values())) == sorted(map(sorted, layout.groups))


def test_a_relative_root_finds_the_same(
    loaded: tuple[str, Layout, ClipDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    format, layout, dataset = loaded
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    arguments = {
        key: Path("..") / value.relative_to(tmp_path) if isinstance(value, Path) else value
        for key, value in layout.arguments.items()
    }
    again = load_dataset(format, **arguments)
    assert {(r.path.resolve(), r.label) for r in again.records} == {
        (r.path.resolve(), r.label) for r in dataset.records
    }


def test_splits(loaded: tuple[str, Layout, ClipDataset]) -> None:
    _, layout, dataset = loaded
    fold = layout.arguments.get("fold")
    split = split_records(dataset, fold=fold, validation_fraction=0.25, seed=0)
    everything = split.train + split.validation + split.test
    assert sorted(r.name for r in everything) == sorted(layout.label_of)
    assert {r.name for r in split.test} == {n for n, side in layout.sides.items() if side == "test"}
    assert split.validation
    given = {n for n, side in layout.sides.items() if side == "validation"}
    assert not given or {r.name for r in split.validation} == given


def test_the_representation_counts(loaded: tuple[str, Layout, ClipDataset]) -> None:
    _, layout, dataset = loaded
    assert f"{len(layout.label_of)} clips, {len(layout.labels)} labels" in repr(dataset)
    assert len(repr(dataset)) < 120


WRONG = [
    ("folder", {"root": None}, "needs `data.root`"),
    ("folder", {"annotations": "x.csv"}, "takes no `data.annotations`"),
    ("folder", {"fold": 1}, "takes no `data.fold`"),
    ("csv", {"annotations": None}, "needs `data.annotations`"),
    ("ucf101", {"fold": None}, "needs `data.fold`"),
    ("ucf101", {"annotations": None}, "needs `data.annotations`"),
    ("hmdb51", {"root": None}, "needs `data.root`"),
    ("kinetics", {"fold": 1}, "takes no `data.fold`"),
]


@pytest.mark.parametrize(("format", "change", "message"), WRONG)
def test_a_wrong_combination_names_the_flag(
    format: str, change: dict[str, str | int | None], message: str, tmp_path: Path
) -> None:
    arguments = {**LAYOUTS[format][1](tmp_path).arguments, **change}
    with pytest.raises(DatasetError, match=message):
        load_dataset(format, **{"root": None, **arguments})


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(DatasetError, match=r"`data\.format` kinetic; did you mean 'kinetics'"):
        load_dataset("kinetic", Path())


@pytest.mark.parametrize("format", DATASETS)
def test_an_absent_root_is_an_error(format: str, tmp_path: Path) -> None:
    arguments = LAYOUTS[format][1](tmp_path).arguments
    with pytest.raises(DatasetError, match=r"nowhere is not there; point `data\.root`"):
        load_dataset(format, **{**arguments, "root": tmp_path / "nowhere"})


@pytest.mark.parametrize("format", sorted(set(DATASETS) - {"folder"}))
def test_absent_annotations_are_an_error(format: str, tmp_path: Path) -> None:
    arguments = LAYOUTS[format][1](tmp_path).arguments
    with pytest.raises(DatasetError, match=r"nowhere is not there; point `data\.annotations`"):
        load_dataset(format, **{**arguments, "annotations": tmp_path / "nowhere"})


def test_a_root_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    file.touch()
    with pytest.raises(DatasetError, match="is a file, not a folder"):
        load_dataset("folder", file)


def test_every_format_is_documented_and_a_setting() -> None:
    text = (Path(__file__).parents[2] / "docs" / "data_formats.md").read_text(encoding="utf-8")
    for format in DATASETS:
        assert f"\n## {format}\n" in text and f"--data.format {format} " in text
    assert set(get_args(get_type_hints(ActionDataSettings)["format"])) == set(DATASETS)
