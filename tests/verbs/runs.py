"""The command lines of the tests on whole frames and on paths: the smallest trainings there are."""

from __future__ import annotations

from pathlib import Path

from vidlstm.cli.main import main

QUIET = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
QUIET += ["--trainer.enable_progress_bar", "false"]
ONE_DECODER = ["--sampling.workers", "1"]
BACKBONE = ["--backbone.name", "squeezenet1_1", "--backbone.weights", "random"]


def train_clips(clips: Path, out: Path, *flags: str) -> Path:
    """Features are extracted by the first call and found by the others."""
    argv = ["train", "--data.root", str(clips / "data"), "--store", str(clips / "store"), "--out", str(out)]
    assert main([*argv, *BACKBONE, *ONE_DECODER, "--model.hidden_size", "8", *QUIET, *flags]) == 0
    return out / "best.ckpt"


def train_paths(ethucy: Path, out: Path, *flags: str) -> Path:
    argv = ["train", "--task", "trajectory", "--data.root", str(ethucy), "--data.scene", "zara1"]
    argv += ["--data.draws_per_epoch", "64", "--data.batch_size", "32", "--out", str(out)]
    argv += ["--model.hidden_size", "8", "--model.decoder_size", "8", "--model.modes", "2"]
    assert main([*argv, *QUIET, *flags]) == 0
    return out / "best.ckpt"
