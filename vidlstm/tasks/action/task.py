"""``action``: labelled clips of whole frames to a classifier."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from vidlstm.cards import ActionCard
from vidlstm.errors import SettingsError
from vidlstm.settings import ActionSettings, plain
from vidlstm.tasks.base import Run, Scoring, Task, Trained, check_cell, warn_of_few
from vidlstm.tasks.frames import FrameFeatures, How, check_given, settings_of_given

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lightning import Trainer

    from vidlstm.backbones.base import Backbone
    from vidlstm.datamodules.sequence_data import SequenceData
    from vidlstm.features.given import GivenFeatures
    from vidlstm.models.fusion import AnyClassifier
    from vidlstm.settings import BackboneSettings, PredictSettings
    from vidlstm.tasks.action.data import Clips
    from vidlstm.tasks.predictor import Predictor
    from vidlstm.training.action import ActionModule

SCORES = ("accuracy", "top5_accuracy", "mean_class_accuracy", "macro_f1")

S = TypeVar("S", bound=ActionSettings)
C = TypeVar("C", bound=ActionCard)


class ClipTask(Task[S, C]):
    """What all tasks share that give a clip one label, whatever a clip is made of."""

    monitor = "val_loss"
    sides = ("auto", "validation", "test", "all")
    report_files = ("predictions.csv", "confusion.png")
    resume_keys: ClassVar[tuple[str, ...]] = ("labels", "backbone", "fps", "image_fps", "model", "seed")
    kept: ClassVar[tuple[str, ...]] = (
        *("validation_fraction", "max_seconds", "features_fps", "features_layout"),
    )

    @abstractmethod
    def network(self, settings: S, device: str | None, files: Sequence[Path]) -> Any:
        """What gives features: has ``feature_dim``, ``part_dims``, ``spec`` and ``weights_source``.

        ``files`` are the clips: features that were made elsewhere are as wide as theirs.
        """

    @abstractmethod
    def network_of(
        self, card: C, settings: BackboneSettings, device: str | None, given: Backbone | None = None
    ) -> Any:
        """What made the features of a training; ``given`` is used in place of what settings lead to."""

    @abstractmethod
    def gather(self, clips: Clips, settings: Any, network: Any, how: How, run: Run) -> Any:
        """Clips to a filled data module; ``settings`` are those of the data."""

    def check(self, settings: S) -> None:
        """The cell is known, and truncation needs a network that reads forwards alone."""
        check_cell(settings.model.cell)
        check_given(settings)
        if settings.optimiser.truncate_steps and settings.model.bidirectional:
            raise SettingsError(
                "`optimiser.truncate_steps` needs a network that reads forwards alone, piece by piece; "
                "add `model.bidirectional false`",
                setting="optimiser.truncate_steps",
            )

    def prepare(self, settings: S, run: Run) -> tuple[SequenceData, C]:
        """Reads, splits, extracts and gathers the clips."""
        from vidlstm.tasks.action.data import Clips, read_split

        labels, split = read_split(settings.data, seed=run.seed)
        clips = Clips(split.train, split.validation, labels)
        network = self.network(settings, run.device, [record.path for record in clips.records])
        how = How(settings.sampling, settings.backbone.batch_size)
        data = self.gather(clips, settings.data, network, how, run)
        warn_of_few(len(data.validation_set), "clips")
        card: Any = self.card(**self.values(settings, network, data, run.seed))
        return data, card

    def values(self, settings: S, network: Any, data: SequenceData, seed: int) -> dict[str, Any]:
        """What the card says, by name."""
        return {
            "labels": tuple(data.labels),
            "feature_dim": network.feature_dim,
            "part_dims": tuple(network.part_dims),
            "backbone": network.spec,
            "weights_source": network.weights_source,
            "fps": float(settings.data.features_fps or settings.sampling.fps),
            "image_fps": float(settings.sampling.image_fps),
            "window_seconds": data.median_seconds(),
            "model": settings.model,
            "data": settings_of_given(settings.data, network),
            "seed": seed,
        }

    def module(self, settings: S, card: C, data: SequenceData, trainer: Trainer) -> ActionModule:
        """The classifier, normalised by the training features, with its loss."""
        from vidlstm.training.action import ActionModule, balanced_weights
        from vidlstm.training.trainer import total_steps

        classifier = self.build(card)
        classifier.fit_norm(*data.feature_statistics())  # type: ignore[operator]
        balanced = settings.optimiser.class_weights == "balanced"
        return ActionModule(
            classifier,  # type: ignore[arg-type]
            len(data.labels),
            settings.optimiser,
            total_steps=total_steps(trainer, data.steps_per_epoch(trainer.world_size)),
            class_weights_K=balanced_weights(data.class_counts()) if balanced else None,
            card=card,
        )

    def measure(self, trainer: Trainer, module: Any, data: Any, best: Path) -> dict[str, Any]:
        """The validation metrics of the best epoch and of the last."""
        import torch

        last = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val_")}
        (scores,) = trainer.validate(
            module, datamodule=data, ckpt_path=best, verbose=False, weights_only=True
        )
        epoch = int(torch.load(best, map_location="cpu", weights_only=True)["epoch"])
        counts, truth = data.class_counts(), data.validation_set.targets
        limited = trainer.limit_val_batches != 1.0
        return {
            **{k: float(v) for k, v in scores.items()},
            "best_epoch": epoch,
            "epochs": trainer.current_epoch,
            "last_epoch": last,
            "majority_class_accuracy": float((truth == counts.argmax()).float().mean()),
            "train_clips": len(data.train_records),
            "validation_clips": int(module.confusion_KK.sum()) if limited else len(data.validation_records),
        }

    def evaluate(self, trained: Trained[C], scoring: Scoring) -> dict[str, Any]:
        """Scores clips that the training did not see."""
        from vidlstm.devices import resolve_device
        from vidlstm.tasks.action.data import Clips
        from vidlstm.tasks.action.evaluation import choose_clips, like_training, score_model

        card, run = trained.card, scoring.run
        settings = like_training(card, scoring.data, scoring.side)
        self.compare(settings, card)
        side, train, chosen = choose_clips(settings, scoring.side, card, trained.path)
        network = self.network_of(card, scoring.backbone, run.device)
        sampling = dataclasses.replace(scoring.sampling, fps=card.fps, image_fps=card.image_fps)
        how = How(sampling, scoring.backbone.batch_size)
        run = dataclasses.replace(run, seed=card.seed)
        data = self.gather(Clips(train, chosen, card.labels), settings, network, how, run)
        model: Any = trained.model.to(resolve_device(run.device))
        return {
            **score_model(model, data, scoring.out),
            "checkpoint": str(trained.path),
            "side": side,
            "clips": len(data.validation_records),
            "labels": list(card.labels),
            "backbone": card.backbone,
            "data": plain(settings),
        }

    def compare(self, settings: Any, card: C) -> None:
        """Warns where the data that a checkpoint is scored on was made in another way than in training."""
        del settings, card

    def summary(self, metrics: dict[str, Any]) -> list[Any]:
        """Of a training its best epoch; of an evaluation the model beside its baselines."""
        if "best_epoch" in metrics:
            return [
                f"validation accuracy {metrics['val_accuracy']:.3f} in epoch {metrics['best_epoch']} "
                f"(chosen by {metrics['validation_clips']} clips; always the commonest class: "
                f"{metrics['majority_class_accuracy']:.3f})"
            ]
        from vidlstm.render.table.results_table import results_table

        few = len(metrics["labels"]) <= 5  # all of them are among the five likeliest
        names = [name for name in SCORES if not (few and name == "top5_accuracy")]
        rows = {"model": {name: metrics[name] for name in names}, **metrics["baselines"]}
        return [results_table(rows), f"{metrics['clips']} {metrics['side']} clips"]


class ActionTask(FrameFeatures, ClipTask[ActionSettings, ActionCard]):
    """One label a clip, from the features of its frames."""

    name = "action"
    help = "clips, one label each"
    settings = ActionSettings
    card = ActionCard
    kind = "action"
    used: ClassVar[tuple[str, ...]] = ("backbone", "sampling", "window", "store", "truth")

    def gather(
        self, clips: Clips, settings: Any, network: Backbone | GivenFeatures, how: How, run: Run
    ) -> SequenceData:
        """Stretches of whole videos' features."""
        from vidlstm.tasks.action.data import gather_clips

        return gather_clips(clips, settings, network, how, run)

    def build(self, card: ActionCard) -> AnyClassifier:
        """One classifier of all features, or one of each network's (late fusion)."""
        from vidlstm.models.fusion import build_classifier

        return build_classifier(card.widths, len(card.labels), **plain(card.model))

    def predictor(
        self,
        trained: Trained[ActionCard],
        settings: PredictSettings,
        *,
        device: str | None = None,
        backbone: Backbone | None = None,
    ) -> Predictor:
        """A network that slides over videos."""
        from vidlstm.tasks.action.predictor import ActionPredictor

        network = self.network_of(trained.card, settings.backbone, device, backbone)
        return ActionPredictor(trained, network, settings)
