"""The action task learns, its checkpoint round-trips, and files that are no such checkpoint are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer, seed_everything

from tests.fakes.features import clips_of, fake_store, rise_or_fall
from vidlstm.cards import CARD, ActionCard
from vidlstm.datamodules.actions import ActionData
from vidlstm.errors import CheckpointError
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.fusion import LateFusion
from vidlstm.settings import ActionModelSettings, OptimiserSettings
from vidlstm.tasks import open_checkpoint
from vidlstm.tasks.action.task import ActionTask
from vidlstm.training.action import ActionModule

WIDTH = 6
MODEL = {"hidden_size": 16, "num_layers": 1, "projection": 0, "dropout": 0.0, "input_dropout": 0.0}
SURE = OptimiserSettings(learning_rate=2e-2, label_smoothing=0.0)


def card_of(**values: Any) -> ActionCard:
    """What a checkpoint of these sequences says."""
    model = ActionModelSettings(**{**MODEL, **values.pop("model", {})})
    backbone = {"backbone": "none"}
    return ActionCard(
        labels=("fall", "rise"),
        feature_dim=WIDTH,
        backbone=backbone,
        fps=10,
        window_seconds=1,
        model=model,
        **values,
    )


class Payload:
    """What an attacker would put into a pickle."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def eight(folder: Path) -> ActionData:
    store = fake_store(folder, WIDTH)
    records, hashes = clips_of(store, *rise_or_fall(8, WIDTH))
    return ActionData(store, hashes, ("fall", "rise"), train=records, validation=records, batch_size=3)


def trainer(**arguments: Any) -> Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", enable_checkpointing=False, **quiet, **arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ActionModule, ActionData]:
    folder = tmp_path_factory.mktemp("action")
    data = eight(folder)
    seed_everything(0, verbose=False)
    model = SequenceClassifier(WIDTH, 2, **MODEL)
    task = ActionModule(model, 2, SURE, total_steps=90, card=card_of())
    fitted = trainer(max_epochs=30)
    fitted.fit(task, datamodule=data)
    fitted.save_checkpoint(folder / "a.ckpt")
    return folder / "a.ckpt", task, data


def test_overfits_eight_sequences_that_differ_in_order_alone(
    trained: tuple[Path, ActionModule, ActionData],
) -> None:
    _, task, data = trained
    (found,) = trainer().validate(task, datamodule=data, verbose=False)
    assert found["val_accuracy"] == 1.0
    assert found["val_loss"] < 0.1
    assert task.confusion_KK is not None
    assert task.confusion_KK.tolist() == [[4, 0], [0, 4]]


def test_the_loss_of_an_epoch_is_the_mean_over_its_clips(tmp_path: Path) -> None:
    """Batches of three, three and two: the mean of their means would be another number."""
    still = OptimiserSettings(learning_rate=1e-12, label_smoothing=0.0)
    task = ActionModule(SequenceClassifier(WIDTH, 2, **MODEL), 2, still, total_steps=3, card=card_of())
    data, fitted = eight(tmp_path), trainer(max_epochs=1)
    fitted.fit(task, datamodule=data)
    assert data.train_set is not None
    all_of_them = data.train_set[list(range(8))]
    scores_BK = task(all_of_them.x_BTF, all_of_them.lengths_B)
    expected = torch.nn.functional.cross_entropy(scores_BK, all_of_them.targets)
    torch.testing.assert_close(fitted.callback_metrics["train_loss"], expected.detach())


def test_the_checkpoint_round_trips(trained: tuple[Path, ActionModule, ActionData]) -> None:
    path, task, data = trained
    _, opened = open_checkpoint(path, "action")
    model = opened.model
    assert (opened.card, opened.epoch) == (card_of(), 30)
    assert not model.training
    batch = next(iter(data.val_dataloader()))
    with torch.no_grad():
        torch.testing.assert_close(
            model(batch.x_BTF, batch.lengths_B), task.eval()(batch.x_BTF, batch.lengths_B), rtol=0, atol=0
        )


def test_a_checkpoint_that_would_run_code_is_refused_and_does_not_run_it(
    trained: tuple[Path, ActionModule, ActionData], tmp_path: Path
) -> None:
    honest = torch.load(trained[0], weights_only=True)
    for name, content in {
        "whole": Payload(tmp_path / "ran"),
        "card": {**honest, CARD: {**honest[CARD], "labels": Payload(tmp_path / "ran")}},
        "optimiser": {**honest, "optimizer_states": [Payload(tmp_path / "ran")]},
    }.items():
        torch.save(content, tmp_path / f"{name}.ckpt")
        with pytest.raises(CheckpointError, match=r"\.ckpt is damaged or would run code") as refused:
            open_checkpoint(tmp_path / f"{name}.ckpt")
        assert "weights_only" not in str(refused.value)
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version 99, this vidlstm reads 1 to 2; a newer vidlstm wrote it"),
        ({"task": "trajectory"}, "trained for 'trajectory'; this needs action"),
        ({"labels": ["one"]}, "does not describe its weights"),
        ({"labels": None}, "its card says wrongly of labels"),
        ({"feature_dim": "wide"}, "its card says wrongly of feature_dim"),
        ({"model": {"hidden_sise": 3}}, "its card says wrongly of model.hidden_sise"),
        ({"model": {**MODEL, "cell": "none"}}, "does not describe its weights"),
        ({"model": {**MODEL, "hidden_size": 17}}, "does not describe its weights"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(
    change: dict[str, Any], message: str, trained: tuple[Path, ActionModule, ActionData], tmp_path: Path
) -> None:
    honest = torch.load(trained[0], weights_only=True)
    torch.save({**honest, CARD: {**honest[CARD], **change}}, tmp_path / "b.ckpt")
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(tmp_path / "b.ckpt", "action")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 not a zip", b"\x80\x04."], ids=["empty", "zip", "pickle"]
)
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        open_checkpoint(tmp_path / "c.ckpt")
    torch.save({"weights": torch.zeros(2)}, tmp_path / "d.ckpt")
    with pytest.raises(CheckpointError, match="not written by vidlstm train"):
        open_checkpoint(tmp_path / "d.ckpt")


PARTS = (2, 4)
LATE_CARD = card_of(part_dims=PARTS, model={"fusion": "late"})


def late_task() -> ActionModule:
    seed_everything(0, verbose=False)
    model = ActionTask().build(LATE_CARD)
    return ActionModule(model, 2, SURE, total_steps=90, card=LATE_CARD)


def test_late_fusion_overfits_eight_sequences_and_its_checkpoint_round_trips(tmp_path: Path) -> None:
    data, task = eight(tmp_path), late_task()
    fitted = trainer(max_epochs=30)
    fitted.fit(task, datamodule=data)
    (found,) = trainer().validate(task, datamodule=data, verbose=False)
    assert found["val_accuracy"] == 1.0
    fitted.save_checkpoint(tmp_path / "late.ckpt")
    _, opened = open_checkpoint(tmp_path / "late.ckpt")
    model = opened.model
    assert isinstance(model, LateFusion)
    assert opened.card.part_dims == PARTS
    batch = next(iter(data.val_dataloader()))
    with torch.no_grad():
        expected = task.eval()(batch.x_BTF, batch.lengths_B)
        torch.testing.assert_close(model(batch.x_BTF, batch.lengths_B), expected, rtol=0, atol=0)
        for stream, part in zip(model.streams, batch.x_BTF.split(PARTS, dim=-1), strict=True):
            assert torch.equal(stream(part, batch.lengths_B).argmax(1), batch.targets)
    honest = torch.load(tmp_path / "late.ckpt", weights_only=True)
    torch.save({**honest, CARD: {**honest[CARD], "part_dims": [3, 3]}}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="does not describe its weights"):
        open_checkpoint(tmp_path / "other.ckpt")


def test_a_stream_learns_what_it_would_learn_alone(tmp_path: Path) -> None:
    """Its gradient does not depend on what the other streams say."""
    data, task = eight(tmp_path), late_task()
    assert isinstance(task.model, LateFusion)
    first, second = task.model.streams
    batch = next(iter(data.train_dataloader()))

    def gradient() -> list[torch.Tensor]:
        task.zero_grad()
        task.training_step(batch, 0).backward()
        return [p.grad.clone() for p in first.parameters() if p.grad is not None]

    before = gradient()
    task.zero_grad()
    task.loss(first(batch.x_BTF[..., :2], batch.lengths_B), batch.targets).backward()
    for half, parameter in zip(before, first.parameters(), strict=True):
        torch.testing.assert_close(2 * half, parameter.grad)
    with torch.no_grad():
        second.head[1].bias += torch.tensor([20.0, 0.0])  # now it is sure, and half the time wrong
    for old, new in zip(before, gradient(), strict=True):
        torch.testing.assert_close(new, old)
