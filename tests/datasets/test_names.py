"""Names that differ in case, Unicode form or invisible characters: found, refused or told of."""

from __future__ import annotations

import unicodedata
import warnings
from pathlib import Path

import pytest

from tests.fakes.layouts import frames, touch, write
from vidlstm.datasets import ClipDataset, ClipRecord, load_dataset
from vidlstm.datasets.names import nearest_name, plain, seen
from vidlstm.errors import DatasetError

CAFE = unicodedata.normalize("NFD", "café")


@pytest.mark.parametrize(
    "other", ["Café", CAFE, "ca\u200bfé", "\ufeffcafé", "café\u00a0", "caf\u00ade\u0301", "cafe\u0301\ufe0f"]
)
def test_spellings_of_one_name_compare_equal(other: str) -> None:
    assert plain(other) == plain("café") != plain("cafe")
    assert seen(other).casefold() == "café"


@pytest.mark.parametrize(("one", "two"), [("STRASSE", "straße"), ("ΣΊΣΥΦΟΣ", "Σίσυφος"), ("ﬁle", "FIle")])
def test_case_is_that_of_unicode(one: str, two: str) -> None:
    assert plain(one) == plain(two)


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("Clip_7.AVI", "clip_7.avi"),
        ("clip_7", "clip_7.avi"),
        ("clip_7.mp4", "clip_7.avi"),
        ("clip7.avi", "clip_7.avi"),
    ],
)
def test_the_nearest_name(asked: str, near: str) -> None:
    assert nearest_name(asked, ["other.avi", near, "clip_8.avi"]) == near


def test_another_number_is_not_near() -> None:
    assert nearest_name("clip_9.avi", ["clip_7.avi", "clip_8.avi"]) is None


@pytest.mark.parametrize(
    ("on_disk", "listed"),
    [
        ("GOPR0001.MP4", "GOPR0001.mp4"),
        (f"{CAFE}.mp4", "café.mp4"),
        ("Run/a.mp4", "run/A.mp4"),
        ("a b.mp4", "a\u00a0b.mp4"),
    ],
)
def test_a_csv_finds_other_spellings_and_says_so(tmp_path: Path, on_disk: str, listed: str) -> None:
    there = touch(tmp_path / on_disk)
    file = write(tmp_path / "clips.csv", ["path,label", f"{listed},x"])
    with pytest.warns(UserWarning, match="1 names are spelt otherwise on disk"):
        (record,) = load_dataset("csv", tmp_path, file).records
    assert (record.path, record.name) == (there, listed)


def test_the_very_name_comes_first(tmp_path: Path) -> None:
    for name in ("a.mp4", "A.mp4"):
        touch(tmp_path / name)
    file = write(tmp_path / "clips.csv", ["path,label", "A.mp4,x", "a.mp4,y"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [r.path.name for r in load_dataset("csv", tmp_path, file).records] == ["A.mp4", "a.mp4"]


def test_two_spellings_of_one_file_are_one_clip_twice(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    file = write(tmp_path / "clips.csv", ["path,label", "a.mp4,x", "A.mp4,y"])
    with pytest.warns(UserWarning), pytest.raises(DatasetError, match="'x' on line 2 and 'y' on line 3"):
        load_dataset("csv", tmp_path, file)


def test_what_may_be_either_of_two_is_not_guessed(tmp_path: Path) -> None:
    for name in ("ab.mp4", "AB.mp4"):
        touch(tmp_path / name)
    file = write(tmp_path / "clips.csv", ["path,label", "Ab.mp4,x"])
    with pytest.raises(DatasetError, match=r"line 2: Ab\.mp4; there is '(ab|AB)\.mp4'"):
        load_dataset("csv", tmp_path, file)


@pytest.mark.parametrize(
    ("listed", "near"),
    [("clip7", "'clip7.avi'"), ("rnu/b.mp4", "'run'"), ("run/walking_b.mp4", "'run/walkng_b.mp4'")],
)
def test_the_nearest_is_named_where_nothing_is_found(tmp_path: Path, listed: str, near: str) -> None:
    for name in ("clip7.avi", "run/walkng_b.mp4"):
        touch(tmp_path / name)
    file = write(tmp_path / "clips.csv", ["path,label", f"{listed},x"])
    with pytest.raises(DatasetError, match=f"there is {near}"):
        load_dataset("csv", tmp_path, file)


@pytest.mark.parametrize("as_frames", [False, True])
def test_ucf101_in_its_two_spellings(tmp_path: Path, as_frames: bool) -> None:
    """The archives say HandstandPushups where the lists say HandStandPushups."""
    root, lists = tmp_path / "root", tmp_path / "lists"
    for group in (1, 8):
        clip = root / "HandstandPushups" / f"v_HandstandPushups_g{group:02d}_c01"
        frames(clip) if as_frames else touch(clip.with_suffix(".avi"))
    name = "HandstandPushups/v_HandStandPushups_g{:02d}_c01.avi"
    write(lists / "classInd.txt", ["1 HandstandPushups"])
    write(lists / "trainlist01.txt", [f"{name.format(8)} 1"])
    write(lists / "testlist01.txt", [name.format(1)])
    with pytest.warns(UserWarning, match="2 names are spelt otherwise on disk"):
        dataset = load_dataset("ucf101", root, lists, 1)
    assert all(record.path.exists() for record in dataset.records) and len(dataset) == 2


def dataset(*labels: str) -> ClipDataset:
    records = tuple(ClipRecord(Path(f"/d/{i}.mp4"), label) for i, label in enumerate(labels))
    return ClipDataset(records, tuple(sorted(set(labels))))


@pytest.mark.parametrize("other", ["walk\u200b", "walk\u00a0", "\u2060walk"])
def test_labels_that_look_the_same_are_refused(other: str) -> None:
    with pytest.raises(
        DatasetError, match=r"look the same .*'walk' \(2 clips\).* \(1 clips\)|\(1 clips\).*'walk' \(2"
    ):
        dataset("walk", "walk", other, "run")


def test_labels_in_two_unicode_forms_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"look the same .*cafe\\u0301"):
        dataset("café", CAFE)


def test_labels_that_differ_in_case_are_told_of() -> None:
    with pytest.warns(UserWarning, match=r"'Walk' \(1 clips\) and 'walk' \(2 clips\)"):
        assert dataset("Walk", "walk", "walk").labels == ("Walk", "walk")


@pytest.mark.parametrize("label", ["\x07", "\u200b\ufeff", "\udcff"])
def test_labels_that_cannot_be_seen_or_written_are_refused(label: str) -> None:
    with pytest.raises(DatasetError, match="labels without a visible character, or not in UTF-8"):
        dataset("walk", label)


def test_a_csv_names_the_line_of_an_invisible_label(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    file = write(tmp_path / "clips.csv", ["path,label", "a.mp4,\u200b"])
    with pytest.raises(DatasetError, match=r"line 2: empty label"):
        load_dataset("csv", tmp_path, file)


def test_columns_and_splits_are_compared_alike(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    file = write(tmp_path / "clips.csv", ["\u200bPath,LABEL\u00a0,Split", "a.mp4,x,TRAIN\u200b"])
    assert load_dataset("csv", tmp_path, file).records[0].split == "train"
