"""The tracking benchmark runs and writes what it measured; no number is judged here."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from tests.fakes.yolo import save_yolo, tiny_yolo
from tests.video.clips import make_clip

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_tracking.py"


def test_it_measures_all_four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = save_yolo(tmp_path / "tiny.pt", tiny_yolo("detect"))
    clip = make_clip(tmp_path / "a.mp4", frames=3)
    argv = [SCRIPT, clip, "--weights", weights, "--rounds", 1, "--frames", 3, "--batch_size", 2]
    argv += ["--image_size", 96]
    monkeypatch.setattr(sys, "argv", [*map(str, argv), "--json", str(tmp_path / "b.json")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    result = json.loads((tmp_path / "b.json").read_text())
    for name in ("network_lanes", "network_together", "vidlstm", "library", "ratio_to_network"):
        assert result[name] > 0
