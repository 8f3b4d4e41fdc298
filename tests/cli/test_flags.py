"""Flags that mean nothing, values out of range and devices that are not there: refused before any work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.verbs.checkpoints import write
from vidlstm.cli.main import VERBS, main
from vidlstm.cli.parsing import known_keys
from vidlstm.cli.predict import predict_parser

LIGHT = """
import sys
heavy = {"torch", "lightning", "torchvision", "ultralytics", "matplotlib"}
from vidlstm.cli.main import main
for argv in ([], ["predict"], ["evaluate"], ["track"], ["extract"]):
    try:
        main([*argv, "--help"])
    except SystemExit as stop:
        assert stop.code == 0
    print("HEAVY", argv, heavy & set(sys.modules))
"""


def test_help_of_the_verbs_waits_for_no_network_library() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("HEAVY")]
    assert len(found) == 5 and all(line.endswith("set()") for line in found), found


def refused(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    assert main(list(map(str, argv))) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"vidlstm {argv[0]}: ") and said.count("\n") == 1, said
    return said


@pytest.mark.parametrize(
    ("task", "flag", "value"),
    [
        ("action", "--classes", "person"),
        ("action", "--weights", "yolo.pt"),
        ("action", "--every", "2"),
        ("action", "--homography", "h.txt"),
        ("object_action", "--sampling.decoder", "pyav"),
        ("object_action", "--every", "2"),
        ("object_action", "--homography", "h.txt"),
        ("trajectory", "--window.seconds", "2"),
        ("trajectory", "--sampling.workers", "1"),
        ("trajectory", "--backbone.weights", "random"),
    ],
)
def test_predict_refuses_a_flag_without_effect(
    task: str, flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "c.ckpt", task)
    said = refused(capsys, "predict", path, "v.mp4", "--out", tmp_path / "out", flag, value)
    assert f"{flag} has no effect on a checkpoint of {task}" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("task", "flag", "value"),
    [
        ("action", "--data.tracks", "t.parquet"),
        ("action", "--data.horizon", "5"),
        ("object_action", "--data.scene", "eth"),
        ("trajectory", "--data.annotations", "a.csv"),
        ("trajectory", "--backbone.weights", "random"),
        ("trajectory", "--sampling.decoder", "pyav"),
    ],
)
def test_evaluate_refuses_a_flag_of_another_task(
    task: str, flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "c.ckpt", task)
    said = refused(capsys, "evaluate", path, "--out", tmp_path / "out", flag, value)
    assert f"leave out {flag}: it has no effect on a checkpoint of {task}" in said
    assert not (tmp_path / "out").exists()


def test_predict_does_not_offer_what_the_checkpoint_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided = {f"backbone.{n}" for n in ("size", "dtype", "fit")} | {
        "sampling.fps",
        "sampling.image_fps",
    }
    assert not decided & set(known_keys(predict_parser()))
    for name in sorted(decided):
        assert f"no setting is called {name}" in refused(
            capsys, "predict", "c.ckpt", "v.mp4", "--out", tmp_path / "out", f"--{name}", "5"
        )


VERB_LINES: dict[str, list[str]] = {
    "demo": [],
    "extract": ["v.mp4", "--backbone.weights", "random"],
    "track": ["v.mp4", "--weights", "yolo.pt"],
    "train": ["--data.root", "clips"],
    "evaluate": ["{checkpoint}"],
    "predict": ["{checkpoint}", "v.mp4"],
    "inspect gates": ["{checkpoint}", "v.mp4"],
    "inspect gradients": ["{checkpoint}"],
}


@pytest.mark.parametrize("verb", VERB_LINES)
def test_every_verb_takes_a_device_and_refuses_one_that_is_not_there(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = write(tmp_path / "c.ckpt", "action")
    argv = [*verb.split(), *(word.format(checkpoint=checkpoint) for word in VERB_LINES[verb])]
    argv += [] if verb == "extract" else ["--out", "out.parquet" if verb == "track" else "out"]
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--device", "cpu", "--print_config"])
    assert stop.value.code == 0
    assert "device: cpu" in capsys.readouterr().out
    assert "cuda:99 is not on this machine" in refused(capsys, *argv, "--device", "cuda:99")
    assert "did you mean 'cpu'?" in refused(capsys, *argv, "--device", "cpuu")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.ckpt"]


def test_no_verb_is_forgotten() -> None:
    """``import`` runs no network."""
    assert {verb.split()[0] for verb in VERB_LINES} == set(VERBS) - {"import"}


@pytest.mark.parametrize(
    ("argv", "setting", "value"),
    [
        (["extract", "v.mp4"], "sampling.fps", "0"),
        (["extract", "v.mp4"], "sampling.fps", "nan"),
        (["extract", "v.mp4"], "sampling.workers", "-1"),
        (["extract", "v.mp4"], "backbone.batch_size", "0"),
        (["track", "v.mp4"], "confidence", "1.5"),
        (["track", "v.mp4"], "lost_seconds", "-1"),
        (["track", "v.mp4"], "fps", "inf"),
        (["train", "--out", "x"], "model.hidden_size", "0"),
        (["train", "--out", "x"], "model.dropout", "1"),
        (["train", "--out", "x"], "data.validation_fraction", "-0.1"),
        (["train", "--out", "x"], "seed", "-1"),
        (["train", "--out", "x", "--task", "object_action"], "data.crop_margin", "1000"),
        (["train", "--out", "x", "--task", "trajectory"], "data.horizon", "0"),
        (["train", "--out", "x", "--task", "trajectory"], "optimiser.average_decay", "1.1"),
        (["predict", "c.ckpt", "v.mp4", "--out", "x"], "window.seconds", "0"),
        (["predict", "c.ckpt", "v.mp4", "--out", "x"], "window.stride_seconds", "-1"),
        (["predict", "c.ckpt", "v.mp4", "--out", "x"], "every", "0"),
        (["evaluate", "c.ckpt", "--out", "x"], "data.batch_size", "0"),
        (["evaluate", "c.ckpt", "--out", "x"], "side", "left"),
        (["train", "--out", "x"], "model.pooling", "median"),
        (["train", "--out", "x"], "data.fold", "one"),
        (["train", "--out", "x"], "resume", "perhaps"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_setting(
    argv: list[str],
    setting: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "c.ckpt", "action")
    said = refused(capsys, *argv, f"--{setting}", value)
    assert f"--{setting}" in said and value.lstrip("-") in said.lower()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.ckpt"]
