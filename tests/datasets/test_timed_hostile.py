"""Files of labels that are damaged or were made to do harm: one sentence that names file and place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.test_timed_formats import (
    activitynet,
    ava,
    boris,
    cvat,
    elan,
    fiftyone,
    kinetics,
    label_studio,
    mstcn,
    save,
    segments,
    via,
    videos,
)
from vidlstm.datasets.labelling import source, xml_elements
from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.timed_formats import load_timed
from vidlstm.errors import DatasetError

__all__ = ["videos"]  # a fixture

LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no known format"),
        ("just words", "no known format"),
        ("{}", "no known format"),
        ("[]", "no known format"),
        ("[null]", "no known format"),
        ('{"database": {"a": 3}}', "no known format"),
        ('{"labels": {"a": "walk"}}', "no known format"),
        ('{"a": 1,\n"b"', "line 2: is not JSON"),
        ("[" * 100_000, "is not JSON that can be read"),
        ("[" + "9" * 5000 + "]", "is not JSON that can be read"),
        ("<a>\n<b></a>", "line 2: is not XML"),
        ("<annotations/>", "no known format"),
        ("<a>" * 60, "line 1: more than 50 elements in each other"),
        (f"{LAUGHS}<annotations>&b;</annotations>", r"line 1: a document type \(DOCTYPE\)"),
        (f"\n{OUTSIDE}<ANNOTATION_DOCUMENT>&a;</ANNOTATION_DOCUMENT>", r"line 2: a document type"),
        (f"<a>{'x ' * 40_000}</a>", "a text of more than"),
        ('a,"b', "unexpected end of data; check the double quotes"),
        ("path,start_seconds,end_seconds,label\na,1,2", "line 2: 3 cells where the header has 4"),
    ],
)
def test_what_is_no_file_of_labels(text: str, words: str, videos: Path, tmp_path: Path) -> None:
    file = save(tmp_path / "l.json", text)
    with pytest.raises(DatasetError, match=words) as caught:
        load_timed(file, videos=videos, labelled_fps=10)
    assert str(file) in str(caught.value) and len(str(caught.value)) < 600


def test_bytes_that_are_no_text_and_files_that_are_none(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "l.json"
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DatasetError, match="is not UTF-8"):
        load_timed(file, videos=videos)
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("pipe", "is no file"), ("gone", "is not there")):
        with pytest.raises(DatasetError, match=words):
            load_timed(tmp_path / name, videos=videos)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DatasetError, match=r"neither groundTruth nor a file that ends in csv.*not looked into"
    ):
        load_timed(tmp_path / "empty", videos=videos)
    monkeypatch.setattr(source, "MAX_BYTES", 1 << 20)
    file.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(DatasetError, match="is larger than 1 MiB"):
        load_timed(file, videos=videos)
    monkeypatch.setattr(xml_elements, "MAX_ELEMENTS", 5)
    with pytest.raises(DatasetError, match="or 5 in all"):
        load_timed(elan(tmp_path / "l"), videos=videos)


def test_text_of_other_encodings_is_xml_all_the_same(videos: Path, tmp_path: Path) -> None:
    file = elan(tmp_path / "l")
    text = file.read_text().replace(">walk<", ">gehört<")
    for encoding, declared in (("utf-16", "utf-16"), ("latin-1", "iso-8859-1"), ("utf-8-sig", "utf-8")):
        file.write_bytes(f'<?xml version="1.0" encoding="{declared}"?>{text}'.encode(encoding))
        assert load_timed(file, videos=videos).labels == ("fall", "gehört")


WRONG: list[tuple[Any, str, str, str]] = [
    (label_studio, '"start": 11', '"start": "x"', r"ranges\[0\]\.start: a number is wanted, not 'x'"),
    (
        label_studio,
        '"start": 11',
        '"start": 1e999',
        r"\[0\]\.annotations\[0\]\.result\[0\].*a number is wanted",
    ),
    (label_studio, '"start": 11', '"start": true', "a number is wanted, not True"),
    (label_studio, '"start": 11', '"start": 1.5', "a whole number is wanted"),
    (label_studio, '{"start": 11, "end": 20}', "7", r"an object is wanted, not 7"),
    (label_studio, '["walk"]', '"walk"', r"timelinelabels: a list is wanted, not 'walk'"),
    (label_studio, '{"video"', '{"fps": "nan", "video"', "does not say at which rate"),
    (cvat, 'frame="10"', 'frame="ten"', "line 2: frame is 'ten', not a whole number"),
    (cvat, 'frame="10"', f'frame="{"9" * 5000}"', "line 2: frame is '999"),
    (cvat, ' label="walk"', "", "line 2: <track> has no label"),
    (cvat, "task>", "tusk>", "names no task"),
    (elan, 'TIME_VALUE="1000"', 'TIME_VALUE="1 s"', "line 1: TIME_VALUE is '1 s'"),
    (elan, ' TIME_SLOT_REF2="ts1"', "", "has no TIME_SLOT_REF2"),
    (via, '"z": [1.0, 2.0]', '"z": [1.0, NaN]', r"metadata\.1\.z\[1\]: a number is wanted, not nan"),
    (via, '"vid": "1"', '"vid": "8"', "the number of a view is wanted, not '8'"),
    (via, '["7"]', '["7", "7"]', "shows 2 files at once"),
    (boris, ",1.999,", ",soon,", "line 3: time is 'soon', not a number of seconds"),
    (boris, "STOP", "HALT", "line 3: behavior type 'HALT'"),
    (boris, ",1.999,", ",", "line 3: 8 cells where the header has 9"),
    (activitynet, "[1.0, 2.0]", "[1.0]", r"segment: a list of start and end is wanted, not \[1\.0\]"),
    (activitynet, '"training"', '"trainig"', "unknown subset 'trainig'; did you mean 'training'"),
    (fiftyone, '"label": 1', '"label": 9', "a place in the list of 2 classes is wanted, not 9"),
    (fiftyone, '"label": 1', '"label": -1', "a place in the list of 2 classes is wanted, not -1"),
    (segments, "1,2", "1,inf", "line 3: end_seconds is inf"),
    (kinetics, ",1,2,", ",1,,", "line 2: time_start and time_end must both be given"),
    (ava, ",1,0", ",7,0", "line 1: action 7 has no name"),
]


@pytest.mark.parametrize(("write", "old", "new", "words"), WRONG)
def test_a_value_that_cannot_be_is_told_with_its_place(
    write: Any, old: str, new: str, words: str, videos: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "l")
    text = file.read_text()
    assert old in text
    save(file, text.replace(old, new))
    with pytest.raises(DatasetError, match=words) as caught:
        load_timed(file, videos=videos, labelled_fps=None if "at which rate" in words else 10)
    assert str(file) in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("bad", ["", "1 walk\n1\n", "x walk\n", "1 walk\n2 walk\n"])
def test_a_mapping_that_maps_nothing(bad: str, videos: Path, tmp_path: Path) -> None:
    folder = mstcn(tmp_path)
    save(folder / "mapping.txt", bad)
    if not bad:  # every label is then its own
        assert load_timed(folder, videos=videos, labelled_fps=10).labels == ("fall", "walk")
        return
    with pytest.raises(DatasetError, match=r"mapping\.txt, line \d: a number and a label of its own"):
        load_timed(folder, videos=videos, labelled_fps=10)


def test_a_rate_that_cannot_be(videos: Path, tmp_path: Path) -> None:
    for fps in (0, -1, float("nan"), float("inf"), 1e-310, 1e307):
        with pytest.raises(DatasetError, match=r"`data\.labelled_fps` is .*must be from 0\.001"):
            load_timed(mstcn(tmp_path), videos=videos, labelled_fps=fps)
    with pytest.raises(DatasetError, match="did you mean 'elan'"):
        load_timed(mstcn(tmp_path), videos=videos, format="elam")


@pytest.mark.parametrize("label", ["a\rb", "a\0b", "a\ud800b", "a" * 10_001])
def test_a_label_that_no_table_could_hold_is_refused(label: str) -> None:
    with pytest.raises(DatasetError, match=r"x.json: no table could hold the label 'a"):
        Reading().add(LabelledVideo(("a.mp4",), "x.json"), 0.0, 1.0, label)


def test_what_lasts_for_less_than_a_table_tells_is_left_out() -> None:
    how, video = Reading(), LabelledVideo(("a.mp4",), "x.json")
    how.add(video, 0.0, 1e-9, "a")
    assert not video.labels and how.left_out == {"labels without length, or before the video": 1}


@pytest.mark.parametrize("said", [1e-310, 1e308, float("nan")])
def test_a_rate_of_a_file_that_cannot_be_is_none(said: float) -> None:
    with pytest.raises(DatasetError, match="does not say at which rate"):
        Reading().rate("x.json", "look there", said)
