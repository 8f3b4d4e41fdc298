"""``inspect gates`` on the command line: the arrays, the picture, and what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidlstm.cli.main import main
from vidlstm.inference.segments import window_rows
from vidlstm.render.table.action_tables import read_prediction_json


def gates(checkpoint: Path, clips: Path, out: Path, *flags: str) -> list[str]:
    argv = ["inspect", "gates", str(checkpoint), str(clips / "long.mp4"), "--out", str(out)]
    return [*argv, "--store", str(clips / "store"), *flags]


def test_the_windows_are_those_of_predict(
    clips: Path, classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    window = ["--window.seconds", "0.8", "--window.stride_seconds", "0.3"]
    truth = ["--truth", str(clips / "truth.csv")]
    capsys.readouterr()
    assert main(gates(classifier, clips, tmp_path / "out", *window, *truth)) == 0
    said = capsys.readouterr().out
    assert "differ by at most" in said
    assert "without as many random ones" in said
    argv = ["predict", str(classifier), str(clips / "long.mp4"), "--out", str(tmp_path / "predicted")]
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
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    assert main(["inspect", "gates", str(classifier), str(bad), "--out", str(tmp_path / "out")]) == 2
    assert "bad.mp4: cannot be opened as a video" in capsys.readouterr().err
