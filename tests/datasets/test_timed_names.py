"""Which video a labelling tool means, and what is said where it is not clear."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.datasets.test_timed_formats import save
from vidlstm.datasets.labelling.matching import VideoFiles
from vidlstm.datasets.timed_formats import load_timed
from vidlstm.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = [
        "walk.mp4",
        "day 1/walk.mp4",
        "day 2/fall.MOV",
        "v.2.avi",
        "Zürich.mp4",
        "v_QOl.webm",
        "x/frames/1.jpg",
    ]
    for name in names:
        save(tmp_path / "videos" / name, "")
    return tmp_path / "videos"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("walk.mp4", ["walk.mp4"]),
        ("day 1/walk.mp4", ["day 1/walk.mp4"]),
        ("./walk.mp4", ["walk.mp4"]),
        (r"C:\Users\me\day 1\walk.mp4", ["day 1/walk.mp4"]),
        (r"day 1\walk.mp4", ["day 1/walk.mp4"]),
        ("file:///home/me/videos/day%201/walk.mp4", ["day 1/walk.mp4"]),
        ("/elsewhere/fall.mov", ["day 2/fall.MOV"]),
        ("/elsewhere/walk.mp4", ["day 1/walk.mp4", "walk.mp4"]),
        ("/data/upload/7/907e405c-fall.mov", ["day 2/fall.MOV"]),
        ("/data/local-files/?d=videos/day%202/fall.MOV", ["day 2/fall.MOV"]),
        ("s3://bucket/x/fall.mov?signature=abc", ["day 2/fall.MOV"]),
        ("v.2", ["v.2.avi"]),  # a dot in an id is no ending
        ("fall", ["day 2/fall.MOV"]),
        ("907e405c-fall.mp4", ["day 2/fall.MOV"]),  # converted since it was labelled
        (unicodedata.normalize("NFD", "Zürich.mp4"), ["Zürich.mp4"]),
        ("frames", ["x/frames"]),
        ("../videos/../../etc/passwd", []),
        ("", []),
        ("nul\0", []),
    ],
)
def test_a_name_finds_its_video(named: str, found: list[str], folder: Path) -> None:
    files = VideoFiles(folder)
    assert sorted(map(files.name_of, files.find([named]))) == found


def test_the_first_name_that_fits_is_taken_and_files_may_be_listed(folder: Path) -> None:
    files = VideoFiles(folder)
    assert files.find(["gone", "v_QOl", "walk.mp4"]) == [folder / "v_QOl.webm"]
    assert VideoFiles([folder / "walk.npy", folder / "fall.npy"]).find(["fall"]) == [folder / "fall.npy"]


def labels(path: Path, *names: str) -> Path:
    one = [{"label": "x", "timestamps": [0, 1]}]
    return save(path, {"labels": dict.fromkeys(names, one)})


def test_what_is_missing_is_counted_and_what_is_ambiguous_is_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"2 of 3 labelled videos are not below .*\n.*labels\.gone: gone\n.*lost"
    ):
        found = load_timed(labels(tmp_path / "l.json", "gone", "fall", "lost"), videos=folder)
    assert [video.name for video in found.videos] == ["day 2/fall.MOV"]
    with pytest.raises(DatasetError, match=r"none of the 1 labelled videos.*`data\.root`:\n.*gone"):
        load_timed(labels(tmp_path / "l.json", "gone"), videos=folder)
    with pytest.raises(
        DatasetError, match=r"labels\.walk: 'walk' may be any.*\n  day 1/walk\.mp4\n  walk\.mp4"
    ):
        load_timed(labels(tmp_path / "l.json", "walk"), videos=folder)
    with pytest.raises(DatasetError, match=r"is not there; point `data\.root` at the folder"):
        load_timed(labels(tmp_path / "l.json", "walk"), videos=tmp_path / "nowhere")


def test_videos_beside_the_labels_need_no_folder(folder: Path) -> None:
    assert load_timed(labels(folder / "l.json", "fall")).videos[0].path == folder / "day 2" / "fall.MOV"
