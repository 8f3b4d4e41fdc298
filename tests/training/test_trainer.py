"""The trainer that every task uses: where it runs, and that a checkpoint is there whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.accelerators import CPUAccelerator, CUDAAccelerator
from lightning.pytorch.plugins import DoublePrecision

from tests.training.test_action import SURE, WIDTH, card_of, eight
from vidlstm.errors import OutputError, SettingsError
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.tasks import open_checkpoint
from vidlstm.training import module
from vidlstm.training.action import ActionModule
from vidlstm.training.arguments import best_precision
from vidlstm.training.optimisation import adamw_with_cosine
from vidlstm.training.resuming import used_precision
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
    assert used_precision(out / "best.ckpt") == "32-true"


def test_the_device_is_that_of_the_setting_or_of_the_arguments(tmp_path: Path) -> None:
    built = build_trainer(tmp_path, QUIET, monitor="val_loss", patience=0, device="cpu")
    assert isinstance(built.accelerator, CPUAccelerator)
    arguments = {**QUIET, "accelerator": "cpu"}
    assert isinstance(
        build_trainer(tmp_path, arguments, monitor="val_loss", patience=0).accelerator, CPUAccelerator
    )
    with pytest.raises(SettingsError, match="cuda:77"):
        build_trainer(tmp_path, QUIET, monitor="val_loss", patience=0, device="cuda:77")


@pytest.mark.parametrize(
    ("accelerator", "computes", "best"),
    [
        ("auto", True, "bf16-mixed"),
        (None, True, "bf16-mixed"),
        ("gpu", False, "32-true"),
        ("cpu", True, "32-true"),
        (CUDAAccelerator(), True, "bf16-mixed"),
        (CPUAccelerator(), True, "32-true"),
    ],
)
def test_a_gpu_that_computes_in_bfloat16_does(
    accelerator: Any, computes: bool, best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: computes)
    assert best_precision(accelerator) == best
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert best_precision(accelerator) == "32-true"


@pytest.mark.parametrize(
    ("asked", "earlier", "taken"),
    [
        ({}, None, "32-true"),
        ({"precision": None}, None, "32-true"),
        ({"precision": "auto"}, "64-true", "64-true"),
        ({"precision": "32-true"}, "64-true", "32-true"),
        ({"plugins": [DoublePrecision()]}, None, "64-true"),
    ],
)
def test_a_resumed_training_keeps_its_precision_unless_told(
    asked: dict[str, Any], earlier: str | None, taken: str, tmp_path: Path
) -> None:
    built = build_trainer(
        tmp_path, {**QUIET, **asked}, monitor="val_loss", patience=0, device="cpu", precision=earlier
    )
    assert built.precision == taken


@pytest.mark.parametrize("algorithm", [None, "norm", "value"])
def test_a_fused_optimiser_is_clipped_in_mixed_precision(
    algorithm: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, on a processor that can."""
    largest = []

    def step(optimiser: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        done = plain_step(optimiser, *args, **kwargs)  # the closure, in which gradients are made and clipped
        gradients = [p.grad.flatten() for g in optimiser.param_groups for p in g["params"]]
        largest.append(torch.cat(gradients).norm(p=2 if algorithm != "value" else float("inf")))
        return done

    plain_step = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    monkeypatch.setattr(
        module, "adamw_with_cosine", lambda *args, **how: adamw_with_cosine(*args, **how | {"fused": True})
    )
    settings = {k: v for k, v in vars(card_of().model).items() if k != "fusion"}
    task = ActionModule(SequenceClassifier(WIDTH, 2, **settings), 2, SURE, total_steps=3, card=card_of())
    asked = {"gradient_clip_val": 1e-3, "gradient_clip_algorithm": algorithm, "precision": "bf16-mixed"}
    try:
        trainer = build_trainer(tmp_path, {**QUIET, **asked}, monitor="val_loss", patience=0, device="cpu")
    except SettingsError:
        pytest.skip("this processor cannot")
    trainer.fit(task, datamodule=eight(tmp_path / "data"))
    assert trainer.optimizers[0].param_groups[0]["fused"]
    assert largest == pytest.approx([1e-3] * 3, rel=1e-3)


@pytest.mark.gpu
def test_a_gpu_learns_in_bfloat16_with_one_kernel_for_all_parameters(tmp_path: Path) -> None:
    settings = {k: v for k, v in vars(card_of().model).items() if k != "fusion"}
    task = ActionModule(SequenceClassifier(WIDTH, 2, **settings), 2, SURE, total_steps=90, card=card_of())
    trainer = build_trainer(tmp_path, {**QUIET, "max_epochs": 30}, monitor="val_loss", patience=0)
    trainer.fit(task, datamodule=eight(tmp_path / "data"))
    assert trainer.precision == "bf16-mixed"
    assert all(group["fused"] for group in trainer.optimizers[0].param_groups)
    assert trainer.callback_metrics["val_accuracy"] == 1.0


def test_a_bar_is_for_whoever_asks_for_it(tmp_path: Path) -> None:
    for asked, shown in ((None, False), (False, False), (True, True)):
        arguments = {**QUIET, "enable_progress_bar": asked}
        built = build_trainer(tmp_path, arguments, monitor="val_loss", patience=0, device="cpu")
        assert (built.progress_bar_callback is not None) == shown
