"""``action``: labelled clips of whole frames to a classifier."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from vidlstm.cards import ActionCard
from vidlstm.errors import SettingsError
from vidlstm.settings import ActionSettings, plain
from vidlstm.tasks.base import Evaluation, Run, Task, Trained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lightning import Trainer

    from vidlstm.backbones.base import Backbone
    from vidlstm.datamodules.sequence_data import SequenceData
    from vidlstm.models.fusion import AnyClassifier
    from vidlstm.settings import BackboneSettings, PredictSettings, SamplingSettings
    from vidlstm.structures import ActionPrediction
    from vidlstm.tasks.predictor import Predictor
    from vidlstm.training.action import ActionModule

SCORES = ("accuracy", "top5_accuracy", "mean_class_accuracy", "macro_f1")

S = TypeVar("S", bound=ActionSettings)
C = TypeVar("C", bound=ActionCard)


class ClipTask(Task[S, C]):
    """What all tasks share that give a clip one label, whatever a clip is made of."""

    monitor = "val_loss"
    sides = ("auto", "validation", "test", "all")
    resume_keys: ClassVar[tuple[str, ...]] = ("labels", "backbone", "fps", "image_fps", "model", "seed")

    def check(self, settings: S) -> None:
        """Truncation needs a network that reads forwards alone."""
        if settings.optimiser.truncate_steps and settings.model.bidirectional:
            raise SettingsError(
                "`optimiser.truncate_steps` needs a network that reads forwards alone, piece by piece; "
                "add `model.bidirectional false`",
                setting="optimiser.truncate_steps",
            )

    def module(self, settings: S, card: C, data: SequenceData, trainer: Trainer) -> ActionModule:
        """The classifier, normalised by the training features, with its loss."""
        from vidlstm.training.action import ActionModule, balanced_weights

        classifier = self.build(card)
        classifier.fit_norm(*data.feature_statistics())  # type: ignore[operator]
        balanced = settings.optimiser.class_weights == "balanced"
        epochs = trainer.max_epochs or 1
        steps = data.steps_per_epoch(trainer.world_size) // trainer.accumulate_grad_batches or 1
        return ActionModule(
            classifier,  # type: ignore[arg-type]
            len(data.labels),
            settings.optimiser,
            total_steps=trainer.max_steps if trainer.max_steps > 0 else epochs * steps,
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
        return {
            **{k: float(v) for k, v in scores.items()},
            "best_epoch": epoch,
            "epochs": trainer.current_epoch,
            "last_epoch": last,
            "majority_class_accuracy": float((truth == counts.argmax()).float().mean()),
            "train_clips": len(data.train_records),
            "validation_clips": len(data.validation_records),
        }

    def scored(
        self,
        trained: Trained[C],
        data: SequenceData,
        settings: Any,
        side: str,
        out: Path,
        device: str | None,
    ) -> Evaluation:
        """Scores the clips of a filled data module and writes pictures and tables."""
        from vidlstm.devices import resolve_device
        from vidlstm.tasks.action.evaluation import clip_probabilities, score_clips, write_clips

        model: Any = trained.model.to(resolve_device(device))
        probabilities_SK = clip_probabilities(model, data)
        report = score_clips(data, probabilities_SK)
        report |= {
            "checkpoint": str(trained.path),
            "side": side,
            "clips": len(data.validation_records),
            "labels": list(trained.card.labels),
            "backbone": trained.card.backbone,
            "data": plain(settings),
        }
        return Evaluation(report, write_clips(out, report, data, probabilities_SK))

    def summary(self, metrics: dict[str, Any]) -> list[Any]:
        """Of a training its best epoch; of an evaluation the model beside its baselines."""
        if "best_epoch" in metrics:
            return [
                f"validation accuracy {metrics['val_accuracy']:.3f} in epoch {metrics['best_epoch']} "
                f"({metrics['validation_clips']} clips; always the commonest class: "
                f"{metrics['majority_class_accuracy']:.3f})"
            ]
        from vidlstm.render.report import results_table

        rows = {"model": {name: metrics[name] for name in SCORES}, **metrics["baselines"]}
        return [results_table(rows), f"{metrics['clips']} {metrics['side']} clips"]


class ActionTask(ClipTask[ActionSettings, ActionCard]):
    """One label a clip, from the features of its frames."""

    name = "action"
    help = "clips, one label each"
    settings = ActionSettings
    card = ActionCard
    kind = "action"
    used: ClassVar[tuple[str, ...]] = ("backbone", "sampling", "window")

    def prepare(self, settings: ActionSettings, run: Run) -> tuple[SequenceData, ActionCard]:
        """Reads, splits, extracts and gathers the clips."""
        from vidlstm.tasks.action.data import gather_clips, read_split
        from vidlstm.tasks.backbones import backbone_from

        labels, split = read_split(settings.data, seed=run.seed)
        backbone = backbone_from(settings.backbone, device=run.device)
        data = gather_clips(
            split.train,
            split.validation,
            labels,
            data=settings.data,
            backbone=backbone,
            batch_size=settings.backbone.batch_size,
            sampling=settings.sampling,
            run=run,
        )
        return data, ActionCard(**card_values(settings, backbone, data, run.seed))

    def build(self, card: ActionCard) -> AnyClassifier:
        """One classifier of all features, or one of each network's (late fusion)."""
        from vidlstm.models.fusion import build_classifier

        return build_classifier(card.widths, len(card.labels), **plain(card.model))

    def evaluate(
        self,
        trained: Trained[ActionCard],
        data: Mapping[str, Any],
        *,
        side: str,
        out: Path,
        backbone: BackboneSettings,
        sampling: SamplingSettings,
        run: Run,
    ) -> Evaluation:
        """Scores clips that the training did not see."""
        from vidlstm.tasks.action.data import gather_clips
        from vidlstm.tasks.action.evaluation import choose_clips, like_training
        from vidlstm.tasks.backbones import backbone_of_card

        card = trained.card
        settings = like_training(card, data, side)
        side, train, chosen = choose_clips(settings, side, card, trained.path)
        filled = gather_clips(
            train,
            chosen,
            card.labels,
            data=settings,
            backbone=backbone_of_card(card, backbone, device=run.device),
            batch_size=backbone.batch_size,
            sampling=dataclasses.replace(sampling, fps=card.fps, image_fps=card.image_fps),
            run=dataclasses.replace(run, seed=card.seed),
        )
        return self.scored(trained, filled, settings, side, out, run.device)

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
        from vidlstm.tasks.backbones import backbone_of_card

        network = backbone_of_card(trained.card, settings.backbone, device=device, given=backbone)
        return ActionPredictor(trained, network, settings)

    def told(self, prediction: ActionPrediction) -> Iterable[str]:
        """The segments."""
        yield prediction.video
        if prediction.produced_by["random_weights"]:
            yield RANDOM
        for s in prediction.segments:
            yield f"  {s.start_seconds:8.2f} - {s.end_seconds:8.2f} s  {s.label}  {s.probability:.2f}"


RANDOM = "  warning: the backbone's weights are random; these labels mean nothing"


def card_values(settings: ActionSettings, network: Any, data: SequenceData, seed: int) -> dict[str, Any]:
    """What the cards of all clip tasks say.

    Args:
        settings: of the training.
        network: what makes the features, with ``feature_dim``, ``part_dims``, ``spec`` and
            ``weights_source``.
        data: filled.
        seed: of the training.
    """
    return {
        "labels": tuple(data.labels),
        "feature_dim": network.feature_dim,
        "part_dims": tuple(network.part_dims),
        "backbone": network.spec,
        "weights_source": network.weights_source,
        "fps": float(settings.sampling.fps),
        "image_fps": float(settings.sampling.image_fps),
        "window_seconds": data.median_seconds(),
        "model": settings.model,
        "data": settings.data,
        "seed": seed,
    }
