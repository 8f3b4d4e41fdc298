"""Predictions for labelling tools: the tools' own clock, their characters, and only when asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.render.examples import HOSTILE, prediction
from vidlstm.datasets.timed_formats import load_timed
from vidlstm.errors import DatasetError
from vidlstm.render.sinks import Material, usual, write_outputs
from vidlstm.structures import ActionPrediction, Segment


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "my videos" / "Zürich #1.mp4"
    path.parent.mkdir()
    path.touch()
    return path


def said(video: Path, *segments: tuple[float, float, str]) -> ActionPrediction:
    """Of a video whose first frame is at 8.25 s in its container's clock."""
    found = prediction(start=8.25, video=str(video))
    return replace(found, segments=tuple(Segment(*segment, 0.5) for segment in segments))


def test_times_are_counted_from_the_first_frame(video: Path, tmp_path: Path) -> None:
    found = said(video, (8.25, 9.25, "walk"), (9.25, 9.25, "blink"), (10.25, 12.0, "fall"))
    material = Material(fps={str(video): 20.0})
    elan, studio = write_outputs("action", found, tmp_path / "o" / "z", ["eaf", "labelstudio.json"], material)
    slots = [int(slot.attrib["TIME_VALUE"]) for slot in ElementTree.parse(elan).iter("TIME_SLOT")]
    assert slots == [0, 1000, 1000, 1001, 2000, 3750]
    task = json.loads(studio.read_text())[0]
    assert task["data"]["fps"] == 20
    results = task["predictions"][0]["result"]
    assert [result["value"]["ranges"] for result in results] == [
        [{"start": 1, "end": 20}],
        [{"start": 21, "end": 21}],
        [{"start": 41, "end": 75}],
    ]
    for file in (elan, studio):  # the name, with its blank and its hash, finds the video again
        again = load_timed(file, videos=tmp_path / "my videos").videos[0]
        assert again.path == video and [at.label for at in again.labels] == ["walk", "blink", "fall"]
        moved = again.in_container_clock(8.25).labels
        assert [(moved[i].start_seconds, moved[i].end_seconds) for i in (0, 2)] == [
            (8.25, 9.25),
            (10.25, 12.0),
        ]


@pytest.mark.parametrize("suffix", ["eaf", "labelstudio.json"])
def test_labels_of_any_characters_come_back(suffix: str, video: Path, tmp_path: Path) -> None:
    names = [*(name.strip() for name in HOSTILE if name), "half\ra line"]
    found = said(video, *((9.0 + i, 10.0 + i, name) for i, name in enumerate(names)))
    file = write_outputs("action", found, tmp_path / "z", [suffix])[0]
    read = [at.label for at in load_timed(file, videos=video.parent).videos[0].labels]
    assert read == [name.replace("\x00", "\ufffd").replace("\r", "\ufffd") for name in names]
    assert write_outputs("action", replace(found, segments=()), tmp_path / "empty", [suffix])


def test_they_are_written_only_when_asked_for() -> None:
    assert usual(["json", "eaf", "mp4", "labelstudio.json"]) == ["json", "mp4"]
    assert usual(["json", "eaf", "mp4"], video=False) == ["json"]


def test_predictions_of_an_export_are_no_labels(video: Path, tmp_path: Path) -> None:
    """What is to be corrected is read; once somebody works on it, only what people finished is."""
    found = said(video, (9.0, 10.0, "walk"))
    file = write_outputs("action", found, tmp_path / "z", ["labelstudio.json"])[0]
    notes = load_timed(file, videos=video.parent).notes
    assert any(note.endswith("these are predictions, which nobody has corrected") for note in notes)
    task = json.loads(file.read_text())[0]
    file.write_text(json.dumps([{**task, "annotations": [{"result": []}]}]))
    with pytest.raises(DatasetError, match="no timed label"):
        load_timed(file, videos=video.parent)
