"""Kinetics, of which some is always missing, in the layouts that downloaders make."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.layouts import KINETICS_CLIPS, Layout, frames, kinetics, touch, write
from vidlstm.datasets.kinetics import load_kinetics
from vidlstm.errors import DatasetError

PLACES: dict[str, Callable[[str, str], str]] = {
    "flat": lambda label, split: ".",
    "by split": lambda label, split: split,
    "by label": lambda label, split: label,
    "by split and label": lambda label, split: f"{split}/{label}",
    "underscores": lambda label, split: f"{split}_256/{label.replace(' ', '_')}",
    "deep": lambda label, split: f"compress/k400/{split}/part_0",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("stem", ["trimmed", "whole"])
def test_every_layout(tmp_path: Path, place: str, stem: str) -> None:
    layout = kinetics(tmp_path, PLACES[place], stem)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load_kinetics(**layout.arguments)
    by_name = {Path(name).as_posix(): label for name, label in layout.label_of.items()}
    assert {r.name: r.label for r in dataset.records} == by_name
    assert all(r.path.is_file() for r in dataset.records)
    times = {video: (float(start), float(end)) for _, video, start, end, _ in KINETICS_CLIPS}
    for record in dataset.records:
        wanted = times[str(record.group)] if stem == "whole" else (None, None)
        assert (record.start_seconds, record.end_seconds) == wanted


def test_one_file_is_enough(tmp_path: Path) -> None:
    layout = kinetics(tmp_path)
    dataset = load_kinetics(layout.arguments["root"], tmp_path / "lists" / "train.csv")
    assert {r.split for r in dataset.records} == {"train"} and len(dataset.records) == 3


def test_the_trimmed_clip_goes_before_the_whole_video(tmp_path: Path) -> None:
    layout = kinetics(tmp_path)
    for name in layout.label_of:
        touch(tmp_path / "kinetics" / "whole" / f"{Path(name).name[:11]}.mp4")
    dataset = load_kinetics(**layout.arguments)
    assert {r.name for r in dataset.records} == set(layout.label_of)
    assert all(r.start_seconds is None for r in dataset.records)


def test_folders_decide_between_files_of_one_name(tmp_path: Path) -> None:
    name = "0347ZoDXyP0_000095_000105.mp4"
    for place in ("train/abseiling", "train/rock climbing", "val/rock_climbing"):
        touch(tmp_path / "k" / place / name)
    rows = ["label,youtube_id,time_start,time_end,split"]
    rows += ["abseiling,0347ZoDXyP0,95,105,train", "rock climbing,0347ZoDXyP0,95,105,val"]
    records = load_kinetics(tmp_path / "k", write(tmp_path / "k.csv", rows)).records
    assert [r.name for r in records] == [f"train/abseiling/{name}", f"val/rock_climbing/{name}"]


def test_other_endings_unpadded_times_and_frames(tmp_path: Path) -> None:
    ids = ["0347ZoDXyP0", "-3B32lodo2M", "_4AFcM_z-Bk"]
    touch(tmp_path / "k" / f"{ids[0]}_000005_000015.webm")
    touch(tmp_path / "k" / f"{ids[1]}_5_15.mkv")
    frames(tmp_path / "k" / f"{ids[2]}_000005_000015")
    rows = ["youtube_id,label,time_end,time_start", *(f"{i},run,15.0,5.0" for i in ids)]
    records = load_kinetics(tmp_path / "k", write(tmp_path / "k.csv", rows)).records
    assert [r.group for r in records] == ids
    assert [r.split for r in records] == [None] * 3


def lose(layout: Layout, keep: Callable[[str], bool]) -> list[str]:
    lost = [name for name in layout.label_of if not keep(name)]
    for name in lost:
        (Path(layout.arguments["root"]) / name).unlink()
    return lost


def test_missing_clips_are_listed_and_counted(tmp_path: Path) -> None:
    layout = kinetics(tmp_path)
    lose(layout, lambda name: "0347ZoDXyP0" not in name)
    with pytest.warns(
        UserWarning, match="1 of 6 clips are not under .*left out:\n  0347ZoDXyP0, 95 to 105 s, absei"
    ):
        dataset = load_kinetics(**layout.arguments)
    assert len(dataset.records) == 5 and dataset.labels == layout.labels


def test_the_list_of_missing_clips_stops_at_ten(tmp_path: Path) -> None:
    touch(tmp_path / "k" / "aaaaaaaaa00.mp4")
    rows = ["label,youtube_id,time_start,time_end", *(f"run,aaaaaaaaa{i:02d},0,10" for i in range(13))]
    with pytest.warns(UserWarning, match=r"12 of 13 clips") as caught:
        load_kinetics(tmp_path / "k", write(tmp_path / "k.csv", rows))
    message = str(caught[0].message)
    assert "aaaaaaaaa10," in message and "aaaaaaaaa11," not in message and "... and 2 more" in message


def test_a_class_that_is_gone_is_named_and_left_out(tmp_path: Path) -> None:
    layout = kinetics(tmp_path)
    lose(layout, lambda name: "abseiling" not in name)
    with pytest.warns(UserWarning, match="classes left out, none of their clips is there: abseiling"):
        dataset = load_kinetics(**layout.arguments)
    assert dataset.labels == ("massaging person's head", "playing drums")


def test_nothing_downloaded_is_an_error(tmp_path: Path) -> None:
    layout = kinetics(tmp_path)
    lose(layout, lambda name: False)
    with pytest.raises(
        DatasetError, match=r"none of the 6 clips .*`data\.root`\. Looked for names like:\n  0347Zo"
    ):
        load_kinetics(**layout.arguments)


def test_the_unlabelled_test_list_is_left_out_of_a_folder(tmp_path: Path) -> None:
    layout = kinetics(tmp_path)
    write(tmp_path / "lists" / "test.csv", ["youtube_id,time_start,time_end,split", "zzzzzzzzzzz,0,10,test"])
    with pytest.warns(UserWarning, match="left out, no labelled clips:\n  test.csv"):
        assert len(load_kinetics(**layout.arguments).records) == 6


MISTAKES = [
    ("youtube_id,time_start,time_end,split\nx,0,10,test", r"line 1: column label is missing"),
    ("label,youtube_id,start,time_end\nrun,x,0,10", r"'start'; did you mean 'time_start'"),
    ("label,youtube_id,time_start,time_end\nrun,,0,10", r"line 2: empty youtube_id"),
    ("label,youtube_id,time_start,time_end\nrun,x,0,0", r"line 2: time_end 0 is not after time_start 0"),
    ("label,youtube_id,time_start,time_end\nrun,x,0,ten", r"line 2: time_end is 'ten', not a number"),
    (
        "label,youtube_id,time_start,time_end,split\nrun,x,0,1,trian",
        r"line 2: unknown split 'trian'; did you",
    ),
    ("label,youtube_id,time_start,time_end", r"none of the 0 clips"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_names_the_file_and_the_line(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path / "k.csv", text.split("\n"))
    with pytest.raises(DatasetError, match=message):
        load_kinetics(tmp_path, file)


def test_a_folder_without_a_list(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no CSV file with the columns label, youtube_id"):
        load_kinetics(tmp_path, tmp_path)


def test_a_clip_that_stands_twice_counts_once(tmp_path: Path) -> None:
    touch(tmp_path / "aaaaaaaaa00_000000_000010.mp4")
    rows = ["label,youtube_id,time_start,time_end", *["run,aaaaaaaaa00,0,10"] * 2]
    assert len(load_kinetics(tmp_path, write(tmp_path / "k.csv", rows)).records) == 1
