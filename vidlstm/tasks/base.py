"""The contract of a task: what it learns from, which network, how it is scored, what it predicts.

A task is one folder here and one line in ``TASKS``. The verbs know this contract alone. Modules that define a
task import nothing heavy at their top: the command line asks tasks for their settings before torch is there.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from vidlstm.cards import Card, Checkpoint, typed_card
from vidlstm.errors import CheckpointError, SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lightning import LightningDataModule, LightningModule, Trainer
    from torch import nn

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.engines import Engine
    from vidlstm.features.ranks import Ranks
    from vidlstm.settings import BackboneSettings, PredictSettings, SamplingSettings
    from vidlstm.structures import Progress
    from vidlstm.tasks.predictor import Predictor

C = TypeVar("C", bound=Card)
S = TypeVar("S")
FEW = 20
"""Fewer hardly choose an epoch: two standard errors of an accuracy near a half are then over 22 points."""


@dataclass(frozen=True)
class Run:
    """What a training and an evaluation share.

    Attributes:
        store: the feature store's root folder.
        seed: of splits, weights and orders.
        device: of the backbone; None takes a GPU where there is one.
        extracts: whether this process extracts what is missing; else another one has.
        ranks: the processes that extract it together.
        progress: told of the extraction.
        engine: what extracts; None is this machine.
    """

    store: Path = Path("features")
    seed: int = 0
    device: str | None = None
    extracts: bool = True
    ranks: Ranks | None = None
    progress: Progress | None = None
    engine: Engine | None = None


@dataclass(frozen=True)
class Scoring:
    """What is to be scored.

    Attributes:
        data: settings of the data that were given; the others are those of the training.
        side: one of ``Task.sides``.
        out: takes pictures and tables.
        backbone: where the weights are.
        sampling: how videos are decoded.
        run: what is shared.
    """

    data: Mapping[str, Any]
    side: str
    out: Path
    backbone: BackboneSettings
    sampling: SamplingSettings
    run: Run


@dataclass(frozen=True, eq=False)
class Trained(Generic[C]):
    """A checkpoint that was opened.

    Attributes:
        path: the file.
        card: what it says of itself.
        model: the network, in eval mode, on the CPU.
        epoch: that it was written after; -1 where it does not say.
    """

    path: Path
    card: C
    model: nn.Module
    epoch: int = -1


def warn_of_few(count: int, what: str) -> None:
    """Says where a validation side is too small to choose the epoch that is kept."""
    if count < FEW:
        warnings.warn(
            f"{count} validation {what} choose the epoch that is kept; with fewer than {FEW} that choice is "
            "close to chance. Hold out more, or do not trust the best epoch over the last",
            stacklevel=2,
        )


def check_cell(cell: str) -> None:
    """Looks a recurrent cell up before there is any work.

    Raises:
        SettingsError: there is none of this name.
    """
    from vidlstm.models.cells import CELLS

    if cell not in CELLS:
        raise SettingsError(
            f"`model.cell {cell}`: there is no such cell{nearest(cell, CELLS)}", setting="model.cell"
        )


class Task(ABC, Generic[S, C]):
    """One thing that can be learned. Stateless: one object serves for all runs.

    Attributes:
        name: of ``--task`` and of the card.
        help: one line for the command line.
        settings: what ``train`` takes, a dataclass with a dataclass a section, ``data``, ``model`` and
            ``optimiser`` among them.
        card: the type of its card.
        kind: of its predictions, in ``render/sinks.py``.
        monitor: the logged value whose smallest marks the best epoch.
        sides: the sides of a dataset that ``evaluate`` may score, its default first.
        used: the parts of ``PredictSettings`` that have an effect, and of ``predict`` its ``store`` and
            ``truth``.
        kept: settings of the data in which an evaluation is always like the training.
        resume_keys: of the card, what must be alike for a training to be resumed.
        report_files: what ``evaluate`` writes beside ``report.json``.
        trainer_defaults: where its training differs from ``TRAINER_DEFAULTS``.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    settings: ClassVar[type[Any]]
    card: ClassVar[type[Card]]
    kind: ClassVar[str]
    monitor: ClassVar[str]
    sides: ClassVar[tuple[str, ...]]
    used: ClassVar[tuple[str, ...]]
    kept: ClassVar[tuple[str, ...]] = ()
    resume_keys: ClassVar[tuple[str, ...]]
    report_files: ClassVar[tuple[str, ...]] = ()
    trainer_defaults: ClassVar[Mapping[str, Any]] = {}

    def check(self, settings: S) -> None:
        """Refuses settings that contradict each other, before any work.

        Raises:
            SettingsError: they do.
        """
        del settings

    def callbacks(self, settings: S) -> Sequence[Any]:
        """Lightning callbacks of a training."""
        del settings
        return ()

    @abstractmethod
    def prepare(self, settings: S, run: Run) -> tuple[LightningDataModule, C]:
        """Settings to a filled data module and the card of the training; extracts what is missing.

        Raises:
            VidlstmError: see its subclasses.
        """

    @abstractmethod
    def build(self, card: C) -> nn.Module:
        """The network that a card describes, with fresh weights.

        Raises:
            ValueError: a value on it is not known.
        """

    @abstractmethod
    def module(self, settings: S, card: C, data: Any, trainer: Trainer) -> LightningModule:
        """The network under training, normalised by the training data."""

    @abstractmethod
    def measure(self, trainer: Trainer, module: Any, data: Any, best: Path) -> dict[str, Any]:
        """Scores the best epoch of a training and finishes its checkpoint; what ``metrics.json`` holds."""

    @abstractmethod
    def evaluate(self, trained: Trained[C], scoring: Scoring) -> dict[str, Any]:
        """Scores a checkpoint beside its trivial baselines; draws, and returns what ``report.json`` holds."""

    @abstractmethod
    def predictor(
        self,
        trained: Trained[C],
        settings: PredictSettings,
        *,
        device: str | None = None,
        backbone: Backbone | None = None,
    ) -> Predictor:
        """What stays loaded and predicts.

        Args:
            trained: the checkpoint.
            settings: how it is used.
            device: None takes a GPU where there is one.
            backbone: instead of the one that the settings lead to.
        """

    @abstractmethod
    def summary(self, metrics: dict[str, Any]) -> list[Any]:
        """What a training or an evaluation gave, in lines and rich tables for the terminal."""

    @abstractmethod
    def told(self, prediction: Any) -> Iterable[str]:
        """One prediction in lines for the terminal."""

    def tracking_defaults(self, card: C) -> dict[str, Any]:
        """Settings of the tracking that a checkpoint brings with it, by name."""
        del card
        return {}

    def open(self, checkpoint: Checkpoint) -> Trained[C]:
        """The network of a checkpoint with its weights.

        Raises:
            CheckpointError: the card is damaged or for another task, or does not describe the weights.
        """
        import torch

        card: Any = typed_card(self.card, checkpoint)
        try:
            with torch.device("meta"):  # shapes alone: a card may ask for more memory than there is
                self.build(card).load_state_dict(checkpoint.weights, assign=True)
            model = self.build(card)
            model.load_state_dict(checkpoint.weights)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise CheckpointError(
                f"{checkpoint.path} is damaged: its card does not describe its weights: {error}"
            ) from error
        return Trained(checkpoint.path, card, model.eval(), checkpoint.epoch)
