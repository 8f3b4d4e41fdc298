"""The tracking benchmark runs and writes what it measured; no number is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fakes.yolo import save_yolo, tiny_yolo
from tests.video.clips import make_clip

ROOT = Path(__file__).parents[2]


def test_it_measures_all_four(tmp_path: Path) -> None:
    weights = save_yolo(tmp_path / "tiny.pt", tiny_yolo("detect"))
    clip = make_clip(tmp_path / "a.mp4", frames=3)
    argv = [clip, "--weights", weights, "--rounds", 1, "--frames", 3, "--batch_size", 2]
    argv += ["--json", tmp_path / "b.json"]
    command = [sys.executable, str(ROOT / "scripts" / "benchmark_tracking.py"), *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "b.json").read_text())
    for name in ("network_lanes", "network_together", "vidlstm", "library", "ratio_to_network"):
        assert result[name] > 0
