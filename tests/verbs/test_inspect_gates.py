"""``inspect gates`` on the command line: the arrays, the picture, and what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.videos import write_video
from vidlstm.cli.main import main
from vidlstm.inference.segments import window_rows
from vidlstm.models.cells import CELLS
from vidlstm.render.table.action_tables import read_prediction_json

QUIET = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
QUIET += ["--trainer.enable_progress_bar", "false"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for i in range(8):
        write_video(root / "data" / ("a", "b")[i % 2] / f"{i}.mp4", seed=i)
    write_video(root / "long.mp4", seed=99, frames=60)
    (root / "truth.csv").write_text("start_seconds,end_seconds,label\n0,1.2,a\n1.2,2.4,b\n")
    return root


def train(clips: Path, out: Path, *flags: str) -> Path:
    argv = ["train", "--data.root", str(clips / "data"), "--store", str(clips / "store"), "--out", str(out)]
    argv += ["--backbone.name", "squeezenet1_1", "--backbone.weights", "random", "--model.hidden_size", "8"]
    assert main([*argv, *QUIET, *flags]) == 0
    return out / "best.ckpt"


def gates(checkpoint: Path, clips: Path, out: Path, *flags: str) -> list[str]:
    argv = ["inspect", "gates", str(checkpoint), str(clips / "long.mp4"), "--out", str(out)]
    return [*argv, "--store", str(clips / "store"), *flags]


@pytest.mark.parametrize("cell", CELLS)
def test_the_arrays_are_named_by_layer_direction_and_gate(cell: str, clips: Path, tmp_path: Path) -> None:
    checkpoint = train(clips, tmp_path / "run", "--model.cell", cell)
    assert main(gates(checkpoint, clips, tmp_path / "out", "--attribution", "false")) == 0
    files = ["long.gates.npz", "long.layer1.png", "long.layer2.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == files
    with np.load(tmp_path / "out" / "long.gates.npz", allow_pickle=False) as held:
        assert str(held["format"]) == "vidlstm.gates/1"
        assert str(held["cell"]) == cell
        windows, longest = len(held["window_steps"]), held["window_steps"].max()
        assert held["step_probabilities"].shape == (len(held["timestamps_seconds"]), 2)
        recorded = {name for name in held.files if name.startswith("layer")}
        assert {held[name].shape for name in recorded} == {(windows, longest, 8)}
    letters = {block for block in CELLS[cell].blocks if block != "h"} | set(CELLS[cell].state_names)
    ways = [f"layer{n}_{way}" for n in (1, 2) for way in ("forward", "backward")]
    assert recorded == {f"{way}_{letter}" for way in ways for letter in letters}


def test_the_windows_are_those_of_predict(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = train(clips, tmp_path / "run")
    window = ["--window.seconds", "0.8", "--window.stride_seconds", "0.3"]
    truth = ["--truth", str(clips / "truth.csv")]
    capsys.readouterr()
    assert main(gates(checkpoint, clips, tmp_path / "out", *window, *truth)) == 0
    said = capsys.readouterr().out
    assert "differ by at most" in said
    assert "without as many random ones" in said
    argv = ["predict", str(checkpoint), str(clips / "long.mp4"), "--out", str(tmp_path / "predicted")]
    assert main([*argv, "--store", str(clips / "store"), "--video", "false", *window]) == 0
    prediction = read_prediction_json(tmp_path / "predicted" / "long.json")
    with np.load(tmp_path / "out" / "long.gates.npz", allow_pickle=False) as held:
        np.testing.assert_allclose(held["window_probabilities"], prediction.window_probabilities, atol=1e-5)
        times = held["timestamps_seconds"]
        rows = window_rows(times, 0.8, 0.3)
        assert held["window_first_row"].tolist() == [first for first, _ in rows]
        assert held["window_steps"].tolist() == [last - first for first, last in rows]
        np.testing.assert_allclose(times[held["window_first_row"]], prediction.window_start_seconds)
        assert held["attribution"].shape == (len(rows), held["window_steps"].max())
        assert held["step_attribution"].shape == times.shape
        assert held["attribution_class"].tolist() == prediction.window_probabilities.argmax(1).tolist()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["inspect"], "say what"),
        (["inspect", "gate"], "did you mean 'gates'?"),
        (["inspect", "gates", "none.ckpt", "v.mp4", "--out", "x"], "none.ckpt: no such checkpoint"),
        (["inspect", "gates", "a.ckpt", "v.mp4", "--out", "x", "--truht", "t"], "did you mean 'truth'?"),
        (["inspect", "gates", "a.ckpt", "v.mp4", "--out", "x", "--truth", "t.csv"], "t.csv: no such table"),
    ],
)
def test_a_wrong_word_is_named(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_no_video_is_named(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = train(clips, tmp_path / "run")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    assert main(["inspect", "gates", str(checkpoint), str(bad), "--out", str(tmp_path / "out")]) == 2
    assert "bad.mp4: cannot be opened as a video" in capsys.readouterr().err
