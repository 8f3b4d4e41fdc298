"""``segmentation``: long videos with timed labels to a label at every step."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from vidlstm.cards import SegmentationCard
from vidlstm.errors import SettingsError
from vidlstm.settings import SegmentationSettings, plain
from vidlstm.tasks.base import Run, Scoring, Task, Trained, check_cell
from vidlstm.tasks.frames import FrameFeatures, How, check_given, settings_of_given

if TYPE_CHECKING:
    from pathlib import Path

    from lightning import Trainer

    from vidlstm.backbones.base import Backbone
    from vidlstm.datamodules.segmentation import SegmentationData
    from vidlstm.models.labeller import SequenceLabeller
    from vidlstm.settings import PredictSettings
    from vidlstm.tasks.predictor import Predictor
    from vidlstm.training.segmentation import SegmentationModule

STEP_SCORES = ("accuracy", "mean_class_accuracy", "macro_f1", "map", "calibrated_map")
SEGMENT_SCORES = ("edit", "f1@10", "f1@25", "f1@50")
SCORES = (*STEP_SCORES, *SEGMENT_SCORES)


class SegmentationTask(FrameFeatures, Task[SegmentationSettings, SegmentationCard]):
    """A label a step, from the features of whole frames."""

    name = "segmentation"
    help = "long videos with timed labels, a label a step"
    settings = SegmentationSettings
    card = SegmentationCard
    kind = "segmentation"
    monitor = "val_error"
    sides = ("auto", "validation", "test", "all")
    used: ClassVar[tuple[str, ...]] = ("backbone", "sampling", "window", "store", "truth")
    kept: ClassVar[tuple[str, ...]] = (
        *("background", "multi_label", "validation_fraction", "minimum_seconds", "window_seconds"),
        *("carry_state", "features_fps", "features_layout"),
    )
    report_files = ("predictions.csv", "confusion.png")
    resume_keys: ClassVar[tuple[str, ...]] = ("labels", "backbone", "fps", "image_fps", "model", "seed")

    def check(self, settings: SegmentationSettings) -> None:
        """A state can be carried forwards alone, and where labels overlap nothing is a class of its own."""
        check_cell(settings.model.cell)
        check_given(settings)
        if settings.data.carry_state and settings.model.bidirectional:
            raise SettingsError(
                "`data.carry_state` needs a network that reads forwards alone; "
                "add `model.bidirectional false`"
            )
        if settings.data.multi_label and settings.model.boundary:
            raise SettingsError(
                "`model.boundary` cuts a video into segments that follow each other, and with "
                "`data.multi_label` they overlap; leave one of the two out"
            )
        if settings.data.multi_label and settings.data.background is not None:
            raise SettingsError(
                "`data.background` is not for `data.multi_label`, where a step without a label has none; "
                "leave it out"
            )

    def prepare(self, settings: SegmentationSettings, run: Run) -> tuple[SegmentationData, SegmentationCard]:
        """Reads, splits, extracts and gathers the videos."""
        from vidlstm.tasks.segmentation.data import gather_videos, read_sides, require_two

        labels, split = read_sides(settings.data, seed=run.seed)
        require_two(labels, settings.data)
        files = [video.path for video in (*split.train, *split.validation)]
        network = self.network(settings, run.device, files)
        how = How(settings.sampling, settings.backbone.batch_size)
        data = gather_videos(split.train, split.validation, labels, settings.data, network, how, run)
        card = SegmentationCard(
            labels=labels,
            feature_dim=network.feature_dim,
            part_dims=tuple(network.part_dims),
            backbone=network.spec,
            weights_source=network.weights_source,
            fps=float(settings.data.features_fps or settings.sampling.fps),
            image_fps=float(settings.sampling.image_fps),
            model=settings.model,
            data=settings_of_given(settings.data, network),
            seed=run.seed,
        )
        return data, card

    def build(self, card: SegmentationCard) -> SequenceLabeller:
        """The network that scores every step."""
        from vidlstm.models.labeller import SequenceLabeller

        return SequenceLabeller(card.feature_dim, len(card.labels), **plain(card.model))

    def module(
        self, settings: SegmentationSettings, card: SegmentationCard, data: SegmentationData, trainer: Trainer
    ) -> SegmentationModule:
        """The network, normalised by the training features, with its losses."""
        from vidlstm.training.segmentation import SegmentationModule, balanced_step_weights, boundary_rarity

        labeller, several = self.build(card), settings.data.multi_label
        labeller.fit_norm(*data.feature_statistics())
        weights_K = None
        if settings.optimiser.class_weights == "balanced":
            weights_K = balanced_step_weights(data.class_counts(), data.known_steps(), multi_label=several)
        steps = data.steps_per_epoch(trainer.world_size) // trainer.accumulate_grad_batches or 1
        return SegmentationModule(
            labeller,
            settings.optimiser,
            num_classes=len(card.labels),
            total_steps=trainer.max_steps if trainer.max_steps > 0 else (trainer.max_epochs or 1) * steps,
            multi_label=several,
            carry_state=settings.data.carry_state,
            weights_K=weights_K,
            rarity=boundary_rarity(data.train_set.targets) if data.train_set and labeller.boundary else None,
            card=card,
        )

    def measure(
        self, trainer: Trainer, module: SegmentationModule, data: SegmentationData, best: Path
    ) -> dict[str, Any]:
        """The scores of the validation videos after the best epoch, and the loss of the last."""
        import torch

        from vidlstm.tasks.segmentation.evaluation import score_model

        last = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val_")}
        content = torch.load(best, map_location="cpu", weights_only=True)
        module.load_state_dict(content["state_dict"])
        assert isinstance(module.card, SegmentationCard)
        scores = score_model(module.model.cpu().eval(), module.card, data)
        return {
            **{f"val_{name}": scores[name] for name in SCORES if name in scores},
            "best_epoch": int(content["epoch"]),
            "epochs": trainer.current_epoch,
            "last_epoch": last,
            "train_videos": len(data.train_videos),
            "validation_videos": len(data.validation_videos),
        }

    def evaluate(self, trained: Trained[SegmentationCard], scoring: Scoring) -> dict[str, Any]:
        """Scores videos that the training did not see."""
        from vidlstm.devices import resolve_device
        from vidlstm.tasks.segmentation.data import gather_videos
        from vidlstm.tasks.segmentation.evaluation import (
            baseline_rows,
            choose_videos,
            like_training,
            score_model,
        )

        card, run = trained.card, scoring.run
        settings = like_training(card, scoring.data, scoring.side)
        side, train, chosen = choose_videos(settings, scoring.side, card, trained.path)
        network = self.network_of(card, scoring.backbone, run.device)
        sampling = dataclasses.replace(scoring.sampling, fps=card.fps, image_fps=card.image_fps)
        how = How(sampling, scoring.backbone.batch_size)
        run = dataclasses.replace(run, seed=card.seed)
        data = gather_videos(train, chosen, card.labels, settings, network, how, run)
        model: Any = trained.model.to(resolve_device(run.device))
        return {
            **score_model(model, card, data, scoring.out),
            "baselines": baseline_rows(card, data),
            "checkpoint": str(trained.path),
            "side": side,
            "videos": len(data.validation_videos),
            "labels": list(card.labels),
            "causal": not card.model.bidirectional,
            "backbone": card.backbone,
            "data": plain(settings),
        }

    def predictor(
        self,
        trained: Trained[SegmentationCard],
        settings: PredictSettings,
        *,
        device: str | None = None,
        backbone: Backbone | None = None,
    ) -> Predictor:
        """A network that reads whole videos."""
        from vidlstm.tasks.segmentation.predictor import SegmentationPredictor

        network = self.network_of(trained.card, settings.backbone, device, backbone)
        return SegmentationPredictor(trained, network, settings)

    def summary(self, metrics: dict[str, Any]) -> list[Any]:
        """Of a training its best epoch; of an evaluation the model beside its baselines."""
        if "best_epoch" in metrics:
            row = {name: metrics[f"val_{name}"] for name in SCORES if f"val_{name}" in metrics}
            told = f"epoch {metrics['best_epoch']}, {metrics['validation_videos']} validation videos"
            return [*_tables({"model": row}), told]
        rows = {"model": {n: metrics[n] for n in SCORES if n in metrics}, **metrics["baselines"]}
        side = "" if metrics["side"] == "all" else f"{metrics['side']} "
        return [*_tables(rows), f"{metrics['videos']} {side}videos"]


def _tables(rows: dict[str, dict[str, float]]) -> list[Any]:
    """Scores of steps and of segments; side by side they would not fit a terminal."""
    from vidlstm.render.table.results_table import results_table

    made = []
    for scores in (STEP_SCORES, SEGMENT_SCORES):
        shown = {name: {k: v for k, v in row.items() if k in scores} for name, row in rows.items()}
        if any(shown.values()):
            made.append(results_table(shown))
    return made
