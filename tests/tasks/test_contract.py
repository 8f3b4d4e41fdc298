"""Every task keeps the contract; a fifth one fits without a change to the package."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningDataModule
from torch import nn
from torch.utils.data import DataLoader

import vidlstm
from vidlstm.cards import VERSION, Card, card_from
from vidlstm.cli.main import main
from vidlstm.render.sinks import SINKS, Material, register_sink, suffixes
from vidlstm.settings import Positive, PredictSettings
from vidlstm.tasks import TASKS
from vidlstm.tasks.base import Run, Scoring, Task, Trained
from vidlstm.tasks.predictor import Outcome, Predictor, Work
from vidlstm.training.module import TaskModule


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_what_the_verbs_expect(name: str) -> None:
    task = TASKS[name]
    assert task.name == task.card.task == name
    assert task.help and task.monitor.startswith("val_")
    assert suffixes(task.kind)
    sections = {f.name: f.default_factory for f in fields(task.settings)}
    assert {"data", "model", "optimiser"} <= sections.keys()
    assert all(is_dataclass(kind) for kind in sections.values())
    assert hasattr(task.settings().optimiser, "patience")
    assert set(task.used) <= {f.name for f in fields(PredictSettings)} | {"store", "truth"}
    assert set(task.resume_keys) <= {f.name for f in fields(task.card)}
    assert not getattr(type(task), "__abstractmethods__", None)


# A fifth task, in one file: it learns the one number that all its training numbers are near.


@dataclass
class ToyData:
    """Numbers.

    Args:
        numbers: to learn from.
    """

    numbers: list[float] = field(default_factory=lambda: [3.0, 3.0])


@dataclass
class ToyModel:
    """A number.

    Args:
        start: where it starts.
    """

    start: float = 0.0


@dataclass
class ToyOptimiser:
    """Plain descent.

    Args:
        learning_rate: the step.
        weight_decay: none.
        warmup_fraction: none.
        patience: never stops early.
    """

    learning_rate: Positive = 0.5
    weight_decay: float = 0.0
    warmup_fraction: float = 0.0
    patience: int = 0


@dataclass
class ToySettings:
    data: ToyData = field(default_factory=ToyData)
    model: ToyModel = field(default_factory=ToyModel)
    optimiser: ToyOptimiser = field(default_factory=ToyOptimiser)


@dataclass(frozen=True, kw_only=True)
class ToyCard(Card):
    task = "toy"
    model: ToyModel


class Number(nn.Module):
    def __init__(self, start: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([[start]]))


class ToyModule(TaskModule):
    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return (self.model.value - batch).square().mean()

    def validation_step(self, batch: torch.Tensor, index: int) -> None:
        self.log("val_loss", (self.model.value - batch).square().mean())


class ToyNumbers(LightningDataModule):
    def __init__(self, numbers: list[float]) -> None:
        super().__init__()
        self.numbers = torch.tensor(numbers)[:, None]

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.numbers, batch_size=2)  # type: ignore[arg-type]

    val_dataloader = train_dataloader


@dataclass(frozen=True)
class ToyPrediction:
    video: str
    value: float


class ToyPredictor(Predictor):
    kind = "toy"

    def __init__(self, trained: Trained[ToyCard], settings: PredictSettings) -> None:
        super().__init__(trained.path, trained.card, settings)
        self.model = trained.model

    def predict(self, source: Any, *, fps: float | None = None) -> ToyPrediction:
        return ToyPrediction(str(source), float(self.model.value))

    def outcomes(self, inputs: Any, work: Work) -> Any:
        for path in inputs:
            yield Outcome(self.predict(path), work.out / path.stem, Material(), suffixes(self.kind))


class ToyTask(Task[ToySettings, ToyCard]):
    name = "toy"
    help = "numbers"
    settings = ToySettings
    card = ToyCard
    kind = "toy"
    monitor = "val_loss"
    sides = ("all",)
    used = ()
    resume_keys = ("model",)

    def prepare(self, settings: ToySettings, run: Run) -> tuple[ToyNumbers, ToyCard]:
        return ToyNumbers(settings.data.numbers), ToyCard(model=settings.model, seed=run.seed)

    def build(self, card: ToyCard) -> nn.Module:
        return Number(card.model.start)

    def module(self, settings: ToySettings, card: ToyCard, data: Any, trainer: Any) -> ToyModule:
        optimiser: Any = settings.optimiser
        return ToyModule(self.build(card), optimiser, total_steps=trainer.max_epochs, card=card)

    def measure(self, trainer: Any, module: Any, data: Any, best: Path) -> dict[str, Any]:
        return {"learned": float(module.model.value), "not_a_number": float("nan")}

    def evaluate(self, trained: Trained[ToyCard], scoring: Scoring) -> dict[str, Any]:
        return {"learned": float(trained.model.value), "baselines": {"nought": 0.0}}

    def predictor(self, trained: Trained[ToyCard], settings: PredictSettings, **rest: Any) -> ToyPredictor:
        return ToyPredictor(trained, settings)

    def summary(self, metrics: dict[str, Any]) -> list[Any]:
        return [f"learned {metrics['learned']:.2f}"]

    def told(self, prediction: ToyPrediction) -> list[str]:
        return [f"{prediction.video}: {prediction.value:.2f}"]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "toy", ToyTask())
    for key in [key for key in SINKS if key[0] == "toy"]:
        monkeypatch.delitem(SINKS, key)
    before = dict(SINKS)

    @register_sink("toy", "txt")
    def as_text(prediction: ToyPrediction, stem: Path, material: Material) -> list[Path]:
        path = stem.with_name(f"{stem.name}.txt")
        path.write_text(f"{prediction.value:.3f}\n")
        return [path]

    added = {key: SINKS.pop(key) for key in SINKS.keys() - before.keys()}
    for key, sink in added.items():
        monkeypatch.setitem(SINKS, key, sink)


@pytest.mark.usefixtures("toy")
def test_a_fifth_task_runs_through_every_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    argv = ["train", "--task", "toy", "--data.numbers", "[2.0, 4.0]", "--out", str(out), "--device", "cpu"]
    quiet = ["--trainer.max_epochs", "40", "--trainer.enable_progress_bar", "false"]
    assert main([*argv, *quiet]) == 0
    said = capsys.readouterr().out
    assert "learned" in said and str(out / "best.ckpt") in said
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["not_a_number"] is None
    assert abs(metrics["learned"] - 3) < 1

    assert main(["evaluate", str(out / "best.ckpt"), "--out", str(tmp_path / "e")]) == 0
    report = json.loads((tmp_path / "e" / "report.json").read_text())
    assert (report["task"], report["baselines"]) == ("toy", {"nought": 0.0})

    assert main(["predict", str(out / "best.ckpt"), "a.mp4", "b.mp4", "--out", str(tmp_path / "p")]) == 0
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == ["a.txt", "b.txt"]
    assert f"{float((tmp_path / 'p' / 'a.txt').read_text()):.2f}" in capsys.readouterr().out
    predictor = vidlstm.load(out / "best.ckpt")
    assert abs(predictor.predict(np.zeros(1)).value - report["learned"]) < 1e-6

    assert main([*argv, *quiet, "--model.start", "1", "--resume", "true"]) == 2
    assert "start" in capsys.readouterr().err
    assert main(["predict", str(out / "best.ckpt"), "a.mp4", "--out", str(out), "--window.seconds", "1"]) == 2
    assert "--window.seconds has no effect on a checkpoint of toy" in capsys.readouterr().err
    assert main(["train", "--task", "toy", "--out", str(out), "--optimiser.learning_rate", "0"]) == 2
    assert "--optimiser.learning_rate must be greater than 0" in capsys.readouterr().err


def test_a_card_goes_out_and_comes_back() -> None:
    card = ToyCard(model=ToyModel(2.0), seed=3)
    plain = card.as_plain()
    assert (plain["version"], plain["task"]) == (VERSION, "toy")
    assert card_from(ToyCard, json.loads(json.dumps(plain)), "here") == card
