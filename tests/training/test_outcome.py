"""What a training leaves when it goes wrong, is ended from outside, goes on, or takes another's place."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger

from tests.training.test_action import MODEL, SURE, WIDTH, card_of, eight
from vidlstm.datamodules.actions import ActionData
from vidlstm.errors import CheckpointError, OutputError, Stopped, TrainingError
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.settings import TrackingSettings, plain
from vidlstm.training.action import ActionModule
from vidlstm.training.callbacks import ReplaceEarlier, TrainingReport
from vidlstm.training.outcome import best_of, fitting, refuse_trained
from vidlstm.training.resuming import carry_on_metrics, resumable, with_tracking_defaults
from vidlstm.training.threads import threads_that_pay, using_threads
from vidlstm.training.trainer import build_trainer

QUIET: dict[str, Any] = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "max_epochs": 3}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ActionData:
    return eight(tmp_path_factory.mktemp("clips"))


class At(Callback):
    """Does something at one step of one epoch."""

    def __init__(self, epoch: int, what: Any) -> None:
        self.epoch, self.what = epoch, what

    def on_train_batch_start(self, trainer: Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        if (trainer.current_epoch, batch_idx) == (self.epoch, 1):
            self.what(module)


def fit(
    out: Path, clips: ActionData, *callbacks: Callback, resume: bool = False, **arguments: Any
) -> Trainer:
    trainer = build_trainer(
        out, {**QUIET, **arguments}, monitor="val_loss", patience=0, callbacks=callbacks, device="cpu"
    )
    torch.manual_seed(0)
    module = ActionModule(SequenceClassifier(WIDTH, 2, **MODEL), 2, SURE, total_steps=9, card=card_of())
    earlier = resumable(out / "last.ckpt", card_of(), ("model",)) if resume else None
    with fitting(trainer, out):
        if earlier:
            carry_on_metrics(trainer.logger, earlier.steps)
        trainer.fit(module, datamodule=clips, ckpt_path=earlier and earlier.path, weights_only=True)
    return trainer


def spoil(module: Any) -> None:
    with torch.no_grad():
        next(module.model.parameters()).fill_(float("nan"))


def epochs_of(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["epoch"])


def test_a_loss_that_is_no_number_ends_the_training_and_keeps_what_was_good(
    clips: ActionData, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"training loss is nan in epoch 1, batch 1; .*learning_rate"):
        fit(tmp_path, clips, At(1, spoil))
    for name in ("best.ckpt", "last.ckpt"):
        assert epochs_of(tmp_path / name) == 0
        weights = torch.load(tmp_path / name, weights_only=True)["state_dict"].values()
        assert all(bool(torch.isfinite(w).all()) for w in weights)


class SpoilAfter(Callback):
    """The last step of an epoch leaves weights that no training loss has seen."""

    def on_train_batch_end(
        self, trainer: Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 2:
            spoil(module)


def test_a_validation_that_is_no_number_ends_it_too(clips: ActionData, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="val_loss is nan in epoch 0"):
        fit(tmp_path, clips, SpoilAfter())
    assert not any(tmp_path.glob("*.ckpt"))


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_training_that_is_ended_says_what_is_kept_and_how_to_go_on(
    number: signal.Signals, status: int, word: str, clips: ActionData, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stopped:
        fit(tmp_path, clips, At(2, lambda module: os.kill(os.getpid(), number)))
    assert stopped.value.status == status
    said = str(stopped.value)
    assert said.startswith(f"{word} in epoch 2; ") and "`resume true`" in said
    assert str(tmp_path / "best.ckpt") in said and str(tmp_path / "last.ckpt") in said
    assert epochs_of(tmp_path / "last.ckpt") == 1
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_training_that_is_ended_at_once_does_not_claim_another_s_files(
    clips: ActionData, tmp_path: Path
) -> None:
    fit(tmp_path, clips, max_epochs=1)
    with pytest.raises(Stopped, match="no checkpoint was written"):
        fit(tmp_path, clips, At(0, lambda module: os.kill(os.getpid(), signal.SIGINT)))


def test_a_folder_that_holds_a_training_is_refused_and_replaced_only_when_one_begins(
    clips: ActionData, tmp_path: Path
) -> None:
    refuse_trained(tmp_path / "none")
    fit(tmp_path, clips, max_epochs=1)
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(
        OutputError, match=r"holds a training .*`resume true`.*`overwrite true`.*another `out`"
    ):
        refuse_trained(tmp_path)
    before = (tmp_path / "best.ckpt").read_bytes()
    fit(tmp_path, clips, ReplaceEarlier(tmp_path), max_epochs=1, limit_val_batches=1)
    assert (tmp_path / "best.ckpt").read_bytes() != before
    assert not (tmp_path / "metrics.json").exists()


def test_a_log_that_cannot_be_written_is_said(
    clips: ActionData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: CSVLogger) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CSVLogger, "save", full)
    with pytest.raises(OutputError, match=r"cannot be written: No space left on device; make room"):
        fit(tmp_path, clips, logger=True)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_resumed_training_carries_its_log_on(clips: ActionData, tmp_path: Path) -> None:
    fit(tmp_path / "a", clips, logger=True)
    with pytest.raises(Stopped):
        fit(tmp_path / "b", clips, At(2, lambda module: os.kill(os.getpid(), signal.SIGINT)), logger=True)
    fit(tmp_path / "b", clips, resume=True, logger=True)
    assert rows(tmp_path / "b") == rows(tmp_path / "a")
    assert {row["epoch"] for row in rows(tmp_path / "b")} == {"0", "1", "2"}


def test_a_run_whose_folder_was_moved_still_knows_its_best_epoch(clips: ActionData, tmp_path: Path) -> None:
    first = fit(tmp_path / "a", clips, max_epochs=2)
    score = float(best_of(first).best_model_score)  # type: ignore[arg-type]
    shutil.move(tmp_path / "a", tmp_path / "b")
    resumed = fit(tmp_path / "b", clips, At(2, spoil_a_little), resume=True)
    assert float(best_of(resumed).best_model_score) == score  # type: ignore[arg-type]
    assert Path(best_of(resumed).best_model_path) == (tmp_path / "b" / "best.ckpt").resolve()


def spoil_a_little(module: Any) -> None:
    with torch.no_grad():
        module.model.head[1].bias += torch.tensor([9.0, 0.0])


def test_whether_a_training_has_finished(clips: ActionData, tmp_path: Path) -> None:
    fit(tmp_path, clips, max_epochs=2)
    earlier = resumable(tmp_path / "last.ckpt", card_of(), ("model",))
    assert (earlier.epochs, earlier.steps) == (2, 6)

    def finished(patience: int = 0, **arguments: Any) -> bool:
        trainer = build_trainer(tmp_path, {**QUIET, **arguments}, monitor="val_loss", patience=0)
        return earlier.is_finished(trainer, patience)

    assert finished(max_epochs=2) and finished(max_epochs=1) and finished(max_epochs=9, max_steps=6)
    assert not finished(max_epochs=3) and not finished(max_epochs=-1, max_steps=7)
    weights = torch.load(tmp_path / "last.ckpt", weights_only=True)
    torch.save({k: v for k, v in weights.items() if k != "loops"}, tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match="holds a network, but not where its training stood"):
        resumable(tmp_path / "last.ckpt", card_of(), ("model",))


def test_objects_that_were_found_before_a_setting_existed_count_with_its_default() -> None:
    now = plain(TrackingSettings())
    old = {name: value for name, value in now.items() if name != "weigh_overlap"}

    def card(tracking: dict[str, Any]) -> dict[str, Any]:
        return with_tracking_defaults({"task": "object_action", "objects": {"tracking": tracking}})

    assert card(old) == card({**old, "weigh_overlap": True}) != card({**old, "weigh_overlap": False})
    assert card({}) == {"task": "object_action", "objects": {"tracking": {}}}, "boxes of another program"
    assert with_tracking_defaults({"task": "action"}) == {"task": "action"}


def test_how_far_the_whole_run_has_come_is_told(clips: ActionData, tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []

    def tell(report: TrainingReport, total: int) -> None:
        told.append((report.epoch, report.steps, total))

    trainer = build_trainer(
        tmp_path, {**QUIET, "enable_progress_bar": None}, monitor="val_loss", patience=0, told=tell
    )
    module = ActionModule(SequenceClassifier(WIDTH, 2, **MODEL), 2, SURE, total_steps=9, card=card_of())
    trainer.fit(module, datamodule=clips)
    assert told == [(step // 3, step + 1, 9) for step in range(9)]


def test_small_networks_take_one_thread_and_what_a_user_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = SequenceClassifier(8, 2, hidden_size=32), SequenceClassifier(8, 2, hidden_size=1024)
    monkeypatch.setattr("vidlstm.training.threads._defaults", lambda: {4})
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with using_threads(4):
        assert threads_that_pay(small, 16) == 4
        monkeypatch.delenv("OMP_NUM_THREADS")
        monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
        assert threads_that_pay(small, 16) == 1
        assert threads_that_pay(large, 256) == 4
        with using_threads(2):  # as by torch.set_num_threads
            assert threads_that_pay(small, 16) == 2
    assert torch.get_num_threads() == before
