"""The command lines of the tests on tracked objects."""

from __future__ import annotations

from pathlib import Path

from vidlstm.cli.main import main

SMALL = ["--model.hidden_size", "8", "--model.num_layers", "1", "--model.projection", "8"]
SMALL += ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
SMALL += ["--trainer.enable_progress_bar", "false", "--sampling.workers", "1"]
CROPS = ["--backbone.name", "squeezenet1_1", "--backbone.weights", "random"]
POSES = ["--backbone.name", "track:pose"]


def one_is_busy(clip: Path, person: int) -> bool:
    """One of the two, in turn: who cannot tell them apart is right half of the time."""
    return (int(clip.stem) // 2 + person) % 2 == 0


def train(root: Path, out: Path, *more: str, tracks: str = "tracks.parquet", expect: int = 0) -> Path:
    argv = ["train", "--task", "object_action", "--data.root", str(root / "clips")]
    argv += ["--data.tracks", str(root / tracks)]
    argv += ["--out", str(out), "--store", str(root / "store"), *SMALL, *more]
    assert main(argv) == expect
    return out / "best.ckpt"


def evaluate(root: Path, checkpoint: Path, out: Path, *more: str, tracks: str = "tracks.parquet") -> int:
    argv = ["evaluate", str(checkpoint), "--data.root", str(root / "clips"), "--out", str(out)]
    argv += ["--store", str(root / "store"), *more]
    return main([*argv, "--data.tracks", str(root / tracks)] if tracks else argv)


def by_track(per_track: Path) -> list[str]:
    return ["--data.format", "csv", "--data.annotations", str(per_track), "--data.fold", "1"]
