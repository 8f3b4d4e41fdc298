"""The contract of every output: it writes a whole file of its kind, and what can be read back is equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.render.examples import frames, prediction, same
from vidlstm.render.sinks import SINKS, Footage
from vidlstm.render.tables import read_prediction_json, read_segments_csv
from vidlstm.structures import ActionPrediction, Segment
from vidlstm.video.reader import open_video


def read_json(path: Path, said: ActionPrediction) -> None:
    assert same(read_prediction_json(path), said)


def read_csv(path: Path, said: ActionPrediction) -> None:
    assert tuple(read_segments_csv(path)) == said.segments


def read_png(path: Path, said: ActionPrediction) -> None:
    with Image.open(path) as image:
        assert np.asarray(image).std() > 5


def read_mp4(path: Path, said: ActionPrediction) -> None:
    with open_video(path) as video:
        assert len(list(video)) == 5


READERS = {"json": read_json, "csv": read_csv, "png": read_png, "mp4": read_mp4}


@pytest.mark.parametrize("truth", [None, [Segment(0, 3, "walk", 1.0)]], ids=["alone", "with truth"])
@pytest.mark.parametrize("kind", sorted(SINKS))
def test_write_read_back_equal(kind: str, truth: list[Segment] | None, tmp_path: Path) -> None:
    said = prediction()
    path = tmp_path / "new folder" / f"clip.{kind}"
    SINKS[kind](said, path, footage=Footage(frames(5), 10.0), truth=truth)
    READERS[kind](path, said)
    assert list(path.parent.iterdir()) == [path], "nothing is left beside it"


def test_a_video_without_footage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="footage"):
        SINKS["mp4"](prediction(), tmp_path / "clip.mp4")
