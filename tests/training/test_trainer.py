"""The trainer that every task uses: where it runs, and that a checkpoint is there whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.accelerators import CPUAccelerator

from tests.training.test_action import SURE, WIDTH, card_of, eight
from vidlstm.errors import OutputError, SettingsError
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.tasks import open_checkpoint
from vidlstm.training.action import ActionModule
from vidlstm.training.trainer import build_trainer

QUIET = {"enable_progress_bar": False, "logger": False, "max_epochs": 1}


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = eight(tmp_path / "data"), tmp_path / "run"
    settings = {k: v for k, v in vars(card_of().model).items() if k != "fusion"}

    def train() -> None:
        task = ActionModule(SequenceClassifier(WIDTH, 2, **settings), 2, SURE, total_steps=3, card=card_of())
        trainer = build_trainer(out, QUIET, monitor="val_loss", patience=0, device="cpu")
        trainer.fit(task, datamodule=data)

    train()
    before = (out / "best.ckpt").read_bytes()
    write = Path.write_bytes

    def full(path: Path, content: Any) -> int:
        write(path, bytes(content)[:1000])  # as far as the disk went
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"\.ckpt: cannot be written: No space left"):
        train()
    assert (out / "best.ckpt").read_bytes() == before
    assert sorted(p.name for p in out.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert open_checkpoint(out / "best.ckpt")[1].epoch == 0


def test_the_device_is_that_of_the_setting_or_of_the_arguments(tmp_path: Path) -> None:
    built = build_trainer(tmp_path, QUIET, monitor="val_loss", patience=0, device="cpu")
    assert isinstance(built.accelerator, CPUAccelerator)
    arguments = {**QUIET, "accelerator": "cpu"}
    assert isinstance(
        build_trainer(tmp_path, arguments, monitor="val_loss", patience=0).accelerator, CPUAccelerator
    )
    with pytest.raises(SettingsError, match="cuda:77"):
        build_trainer(tmp_path, QUIET, monitor="val_loss", patience=0, device="cuda:77")


def test_a_bar_is_for_whoever_asks_for_it(tmp_path: Path) -> None:
    for asked, shown in ((None, False), (False, False), (True, True)):
        arguments = {**QUIET, "enable_progress_bar": asked}
        built = build_trainer(tmp_path, arguments, monitor="val_loss", patience=0, device="cpu")
        assert (built.progress_bar_callback is not None) == shown
