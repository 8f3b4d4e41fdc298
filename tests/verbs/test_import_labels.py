"""``vidlstm import``: what is understood, what is written, and what is never written over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vidlstm
from tests.datasets.test_timed_formats import TABULAR, elan, event, label_studio, mstcn, save
from tests.video.clips import make_clip
from vidlstm.cli.main import main
from vidlstm.datasets.timed_formats import load_timed
from vidlstm.errors import DatasetError, OutputError

START = 8.24  # of b.mp4, in its container's clock


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    make_clip(folder / "a.mp4", frames=60, fps=10)
    (folder / "deep").mkdir()
    make_clip(folder / "deep" / "b.mp4", times=[START + i / 10 for i in range(60)])
    make_clip(folder / "c.mp4", frames=2)
    return folder


def labels(path: Path, **videos: list[tuple[float, float, str]]) -> Path:
    said = {name: [{"label": at[2], "timestamps": at[:2]} for at in found] for name, found in videos.items()}
    return save(path, {"labels": said})


def test_what_is_understood_is_said_and_written(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = [(0, 2, "walk"), (1.5, 3, "fall"), (4, 5, "walk")], [(1.0, 2.0, "fall")]
    file = labels(tmp_path / "l.json", a=a, b=b)
    out = tmp_path / "out" / "s.csv"
    assert main(["import", str(file), "--videos", str(videos), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file}: read as fiftyone: 4 labels of 2 videos",
        "2 videos with labels, 1 without any",
        "  fall       2 times        2.50 s",
        "  walk       2 times        3.00 s",
        "1 gaps between labels, 1.00 s",
        "1 overlaps of labels, 0.50 s",
        str(out),
    ]
    assert out.read_text().splitlines() == [
        "path,start_seconds,end_seconds,label",
        "a.mp4,0.0,2.0,walk",
        "a.mp4,1.5,3.0,fall",
        "a.mp4,4.0,5.0,walk",
        # The tool counts from the first frame; the container's clock is at 8.24 s there.
        "deep/b.mp4,9.24,10.24,fall",
    ]
    again = load_timed(out, videos=videos)
    assert [video.clock for video in again.videos] == ["container"] * 2
    assert vidlstm.import_labels(out, videos=videos, out=tmp_path / "t.csv").dataset.videos == again.videos
    assert (tmp_path / "t.csv").read_bytes() == out.read_bytes()


@pytest.mark.parametrize("flag", ["--labelled_fps", "--data.labelled_fps"])
def test_the_flag_that_a_message_names_is_taken(
    flag: str, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["import", str(label_studio(tmp_path)), "--videos", str(videos), "--out", str(tmp_path / "s.csv")]
    assert main(argv) == 2
    assert "give --data.labelled_fps, the frameRate of the Video tag" in capsys.readouterr().err
    assert main([*argv, flag, "10"]) == 0
    assert "a.mp4,1.0,2.0,walk" in (tmp_path / "s.csv").read_text()


def test_no_input_is_written_over(videos: Path, tmp_path: Path) -> None:
    file = save(tmp_path / "l.csv", TABULAR + event(1, "walk", "START") + event(2, "walk", "STOP"))
    before = file.read_text()
    (tmp_path / "link.csv").symlink_to(file)
    for out in (file, tmp_path / "link.csv"):
        with pytest.raises(OutputError, match="is an input and would be overwritten"):
            vidlstm.import_labels(file, videos=videos, out=out)
    for out in (videos / "a.mp4", elan(tmp_path)):
        with pytest.raises(OutputError, match=r"ends in \.csv"):
            vidlstm.import_labels(file, videos=videos, out=out)
    assert file.read_text() == before


def test_a_video_that_cannot_be_opened_is_listed_and_not_written(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (videos / "bad.mp4").write_bytes(b"no video")
    file = labels(tmp_path / "l.json", a=[(0, 1, "x")], bad=[(0, 1, "y")])
    out = tmp_path / "s.csv"
    assert main(["import", str(file), "--videos", str(videos), "--out", str(out)]) == 1
    assert "bad.mp4: cannot be opened" in capsys.readouterr().err
    assert out.read_text().splitlines()[1:] == ["a.mp4,0.0,1.0,x"]
    with pytest.raises(
        DatasetError, match=r"none of the labelled videos can be opened:\n  .*bad\.mp4: cannot be opened"
    ):
        vidlstm.import_labels(labels(tmp_path / "m.json", bad=[(0, 1, "y")]), videos=videos, out=out)
    assert out.read_text().splitlines()[1:] == ["a.mp4,0.0,1.0,x"]


def test_labels_beyond_the_end_are_said(videos: Path, tmp_path: Path) -> None:
    file = labels(tmp_path / "l.json", a=[(0, 6.9, "x")], b=[(0, 9.5, "y")])
    with pytest.warns(
        UserWarning, match=r"end of 1 videos; is `data\.labelled_fps`.*\n  deep/b\.mp4: by 3\.6 s"
    ):
        vidlstm.import_labels(file, videos=videos, out=tmp_path / "s.csv")


def test_sides_and_videos_without_labels_come_back(videos: Path, tmp_path: Path) -> None:
    folder = mstcn(tmp_path)
    save(folder / "groundTruth" / "b.txt", "background\n" * 9)
    save(folder / "splits" / "train.split1.bundle", "a.txt\n")
    save(folder / "splits" / "test.split1.bundle", "b.txt\n")
    out = tmp_path / "s.csv"
    report = vidlstm.import_labels(folder, videos=videos, out=out, labelled_fps=10)
    assert out.read_text().splitlines()[::3] == [
        "path,start_seconds,end_seconds,label,split",
        "deep/b.mp4,,,,test",
    ]
    again = load_timed(out, videos=videos)
    assert again.videos == report.dataset.videos


def test_a_label_cannot_steer_the_terminal(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "l.json"
    file.write_text(json.dumps({"labels": {"a": [{"label": "x\x1b[2J\ny", "timestamps": [0, 1]}]}}))
    assert main(["import", str(file), "--videos", str(videos), "--out", str(tmp_path / "s.csv")]) == 0
    assert "x?[2J?y" in capsys.readouterr().out
