"""UCF101 and HMDB51 with their official split lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.layouts import Layout, frames, hmdb51, ucf101, write
from vidlstm.datasets import load_dataset, split_records
from vidlstm.datasets.hmdb51 import load_hmdb51, source_group
from vidlstm.datasets.ucf101 import load_ucf101
from vidlstm.errors import DatasetError


@pytest.fixture
def ucf(tmp_path: Path) -> Layout:
    return ucf101(tmp_path)


@pytest.fixture
def hmdb(tmp_path: Path) -> Layout:
    return hmdb51(tmp_path)


def replace(layout: Layout, file: str, old: str, new: str) -> None:
    path = Path(layout.arguments["annotations"]) / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_ucf101_labels_follow_the_class_index(ucf: Layout) -> None:
    lists = Path(ucf.arguments["annotations"])
    labels = ["YoYo", "HandstandPushups", "Archery", "ApplyEyeMakeup"]
    write(lists / "classInd.txt", (f"{i} {label}" for i, label in enumerate(labels, start=1)))
    for file in lists.glob("trainlist*.txt"):
        lines = [line.split()[0] for line in file.read_text().splitlines()]
        write(file, (f"{name} {labels.index(name.split('/')[0]) + 1}" for name in lines))
    assert load_ucf101(**ucf.arguments).labels == tuple(labels)


def test_ucf101_reads_the_split_that_is_asked_for(ucf: Layout) -> None:
    first = load_ucf101(**ucf.arguments)
    second = load_ucf101(**{**ucf.arguments, "fold": 2})
    swap = {"train": "test", "test": "train"}
    assert {r.name: r.split for r in second.records} == {r.name: swap[str(r.split)] for r in first.records}
    assert (first.official_fold, second.official_fold) == (1, 2)


def test_a_validation_side_is_cut_from_the_training_lists_by_group(ucf: Layout) -> None:
    split = split_records(load_ucf101(**ucf.arguments), fold=1, validation_fraction=0.3, seed=1)
    assert (len(split.train), len(split.validation), len(split.test)) == (40, 16, 24)
    assert not {r.group for r in split.train} & {r.group for r in split.validation}


def test_windows_line_ends_and_empty_lines_are_fine(ucf: Layout) -> None:
    for file in Path(ucf.arguments["annotations"]).iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert len(load_ucf101(**ucf.arguments).records) == len(ucf.label_of)


def test_frames_in_a_folder_named_like_the_video_stand_for_it(ucf: Layout, hmdb: Layout) -> None:
    for format, layout in (("ucf101", ucf), ("hmdb51", hmdb)):
        name = next(iter(layout.label_of))
        video = Path(layout.arguments["root"]) / name
        video.unlink()
        folder = frames(video.with_suffix(""))
        records = {r.name: r.path for r in load_dataset(format, **layout.arguments).records}
        assert records[name] == folder


UCF_MISTAKES = [
    ("classInd.txt", "1 ApplyEyeMakeup", "ApplyEyeMakeup", r"classInd\.txt, line 1: 'ApplyEyeMakeup' is not"),
    ("classInd.txt", "2 Archery", "1 Archery", r"classInd\.txt, line 2: '1 Archery' stands twice"),
    (
        "trainlist01.txt",
        "Archery/",
        "Acrhery/",
        r"trainlist01\.txt, line 15: unknown label 'Acrhery'; did you mean",
    ),
    (
        "trainlist01.txt",
        ".avi 2",
        ".avi 3",
        r"line 15: class 3, but classInd\.txt gives Archery the number 2",
    ),
    (
        "testlist01.txt",
        "Archery/",
        "",
        r"testlist01\.txt, line 7: 'v_Archery_g01_c01.avi' is not '<Label>/<video>",
    ),
    ("testlist01.txt", "Archery/v", "../v", r"testlist01\.txt, line 7: '\.\./v_\S+' is not"),
]


@pytest.mark.parametrize(("file", "old", "new", "message"), UCF_MISTAKES)
def test_a_ucf101_mistake_names_the_file_and_the_line(
    ucf: Layout, file: str, old: str, new: str, message: str
) -> None:
    replace(ucf, file, old, new)
    with pytest.raises(DatasetError, match=message):
        load_ucf101(**ucf.arguments)


HMDB_MISTAKES = [
    (".avi 2", ".avi 3", r"run_test_split1\.txt, line 1: '\S+ 3' is not '<video>\.avi 0\|1\|2'"),
    (".avi 2", ".avi", r"line 1: '\S+' is not"),
    ("Amazing", "../Amazing", r"line 1: '\.\./Amazing\S+ 2' is not"),
]


@pytest.mark.parametrize(("old", "new", "message"), HMDB_MISTAKES)
def test_an_hmdb51_mistake_names_the_file_and_the_line(
    hmdb: Layout, old: str, new: str, message: str
) -> None:
    replace(hmdb, "run_test_split1.txt", old, new)
    with pytest.raises(DatasetError, match=message):
        load_hmdb51(**hmdb.arguments)


@pytest.mark.parametrize("format", ["ucf101", "hmdb51"])
@pytest.mark.parametrize("fold", [0, 4])
def test_a_split_that_is_not_there(ucf: Layout, hmdb: Layout, format: str, fold: int) -> None:
    layout = {"ucf101": ucf, "hmdb51": hmdb}[format]
    with pytest.raises(DatasetError, match=rf"no official split {fold}; `data\.fold` can be 1, 2, 3"):
        load_dataset(format, **{**layout.arguments, "fold": fold})


@pytest.mark.parametrize("format", ["ucf101", "hmdb51"])
def test_a_folder_without_lists(ucf: Layout, hmdb: Layout, format: str, tmp_path: Path) -> None:
    layout = {"ucf101": ucf, "hmdb51": hmdb}[format]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty holds no official split list"):
        load_dataset(format, **{**layout.arguments, "annotations": tmp_path / "empty"})


def test_half_of_the_lists(ucf: Layout) -> None:
    (Path(ucf.arguments["annotations"]) / "testlist01.txt").unlink()
    with pytest.raises(DatasetError, match=r"testlist01\.txt is not there; point `data\.annotations`"):
        load_ucf101(**ucf.arguments)


@pytest.mark.parametrize("format", ["ucf101", "hmdb51"])
def test_missing_clips_are_listed_and_counted(ucf: Layout, hmdb: Layout, format: str) -> None:
    layout = {"ucf101": ucf, "hmdb51": hmdb}[format]
    names = sorted(layout.label_of)[:12]
    for name in names:
        (Path(layout.arguments["root"]) / name).unlink()
    with pytest.raises(DatasetError) as caught:
        load_dataset(format, **layout.arguments)
    message = str(caught.value)
    assert f"12 of {len(layout.label_of)} listed clips are not under" in message
    assert f"\n  {names[0]}" in message and "... and 2 more, 12 in all" in message
    assert "`data.root`" in message and "`data.format csv`" in message


def test_unused_hmdb51_clips_need_not_be_there(hmdb: Layout) -> None:
    root = Path(hmdb.arguments["root"])
    for file in root.glob("*/*_goo_2.avi"):
        file.unlink()
    assert len(load_hmdb51(**hmdb.arguments).records) == len(hmdb.label_of)


@pytest.mark.parametrize(
    ("action", "name", "group"),
    [
        ("run", "likebeckam_run_f_cm_np1_ba_med_22.avi", "run/likebeckam"),
        ("kick_ball", "Goal_1_&_2_kick_ball_l_cm_np2_le_bad_1.avi", "kick_ball/Goal_1_&_2"),
        ("run", "A_run_in_the_park_run_u_nm_np10_fr_goo_0.avi", "run/A_run_in_the_park"),
        ("brush_hair", "April_09_brush_hair_u_nm_np1_ba_goo_0.avi", "brush_hair/April_09"),
        ("run", "renamed.avi", None),
    ],
)
def test_hmdb51_names_tell_their_film(action: str, name: str, group: str | None) -> None:
    assert source_group(action, name) == group
