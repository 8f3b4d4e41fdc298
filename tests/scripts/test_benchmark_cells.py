"""The benchmark of cells: what each part adds, folds and test splits, on clips made here."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests.fakes.videos import write_video

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_cells.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("cells_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for i in range(8):
        write_video(root / f"{i}.mp4", seed=i)
    return root


def run(script, monkeypatch: pytest.MonkeyPatch, *argv: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark_cells.py", *argv])
    script.main()


@pytest.mark.parametrize(("column", "cells"), [("fold", ["gru", "rnn_tanh"]), ("split", ["gru"])])
def test_clips_hold_out_every_fold_or_take_the_test_split(
    script,
    column: str,
    cells: list[str],
    clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys,
) -> None:
    places = {"fold": [i // 2 % 2 for i in range(8)], "split": ["train"] * 6 + ["test"] * 2}[column]
    with (clips / "clips.csv").open("w", newline="") as file:
        rows = [(f"{i}.mp4", "ab"[i % 2], f"g{i // 2}", places[i]) for i in range(8)]
        csv.writer(file).writerows([("path", "label", "group", column), *rows])
    argv = ["--parts", "clips", "--cells", *cells, "--root", str(clips), "--seeds", "1"]
    argv += ["--store", str(clips / "store"), "--backbone", "squeezenet1_1", "--weights", "random"]
    out = tmp_path / "cells.json"
    run(script, monkeypatch, *argv, "--clip-epochs", "1", "--json", str(out))
    found = json.loads(out.read_text())
    assert list(found) == cells
    assert all(0 <= row["clips_accuracy"] <= 1 for row in found.values())
    said = capsys.readouterr()
    assert "| cell | clips, accuracy | parameters |" in said.out
    assert said.err.count("gru seed 0") == (2 if column == "fold" else 1)


def test_the_longest_lag_is_one_that_every_run_solved(script, tmp_path: Path) -> None:
    runs = [("gru", 10, True), ("gru", 50, True), ("gru", 50, False), ("lstm", 50, True)]
    held = [{"cell": c, "task": "2c", "lag": lag, "solved": solved} for c, lag, solved in runs]
    (tmp_path / "lags.json").write_text(json.dumps({"runs": held}))
    assert script.longest_lag("gru", tmp_path / "lags.json") == 10
    assert script.longest_lag("lstm", tmp_path / "lags.json") == 50
    assert script.longest_lag("rnn_tanh", tmp_path / "lags.json") is None


def test_clips_without_a_folder_are_refused(script, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        run(script, monkeypatch, "--parts", "clips")
