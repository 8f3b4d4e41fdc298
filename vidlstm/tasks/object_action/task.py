"""``object_action``: labelled clips and the objects tracked in them to a classifier of each object."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from vidlstm.cards import ObjectActionCard
from vidlstm.settings import ObjectActionSettings, TrackingSettings, plain
from vidlstm.tasks.action.task import RANDOM, ClipTask, card_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lightning import Trainer

    from vidlstm.backbones.base import Backbone
    from vidlstm.datamodules.object_actions import ObjectActionData
    from vidlstm.models.fusion import AnyClassifier
    from vidlstm.settings import BackboneSettings, PredictSettings, SamplingSettings
    from vidlstm.structures import ActionPrediction, ObjectActions
    from vidlstm.tasks.base import Evaluation, Run, Trained
    from vidlstm.tasks.predictor import Predictor


class ObjectActionTask(ClipTask[ObjectActionSettings, ObjectActionCard]):
    """A label a clip, or a track, learned from all its objects together and said of each."""

    name = "object_action"
    help = "clips with tracked objects: what each of them does"
    settings = ObjectActionSettings
    card = ObjectActionCard
    kind = "object_action"
    used = ("backbone", "window", "tracking")
    resume_keys = (*ClipTask.resume_keys, "objects")

    def check(self, settings: ObjectActionSettings) -> None:
        """There is a table."""
        from vidlstm.tasks.object_action.data import table_of

        super().check(settings)
        table_of(settings.data)

    def prepare(self, settings: ObjectActionSettings, run: Run) -> tuple[ObjectActionData, ObjectActionCard]:
        """Reads and splits the clips, finds their objects in the table, extracts what is cut out of them."""
        from vidlstm.tasks.action.data import read_split
        from vidlstm.tasks.object_action.data import gather_objects, how_tracked
        from vidlstm.tasks.object_action.network import object_network

        labels, split = read_split(settings.data, seed=run.seed)
        network = object_network(settings.backbone, crop_margin=settings.data.crop_margin, device=run.device)
        data = gather_objects(
            split.train,
            split.validation,
            labels,
            data=settings.data,
            network=network,
            batch_size=settings.backbone.batch_size,
            sampling=settings.sampling,
            run=run,
        )
        values = card_values(settings, network, data, run.seed)
        return data, ObjectActionCard(**values, objects=how_tracked(settings.data))

    def build(self, card: ObjectActionCard) -> AnyClassifier:
        """A classifier of sequences and the attention that weighs them in a bag."""
        from vidlstm.models.fusion import build_bag_classifier

        return build_bag_classifier(card.widths, len(card.labels), **plain(card.model))

    def measure(self, trainer: Trainer, module: Any, data: Any, best: Path) -> dict[str, Any]:
        """Also writes ``short_tracks.csv``, the tracks that are seen too shortly to be trained on."""
        from vidlstm.files import write_csv

        metrics = super().measure(trainer, module, data, best)
        if trainer.is_global_zero:
            rows = [(record.name, track_id) for record, track_id in data.short]
            write_csv(("path", "track_id"), rows, best.parent / "short_tracks.csv")
        return metrics

    def evaluate(
        self,
        trained: Trained[ObjectActionCard],
        data: Mapping[str, Any],
        *,
        side: str,
        out: Path,
        backbone: BackboneSettings,
        sampling: SamplingSettings,
        run: Run,
    ) -> Evaluation:
        """Scores clips that the training did not see, with a table made as that of the training was."""
        from vidlstm.tasks.action.evaluation import KEPT, choose_clips, like_training
        from vidlstm.tasks.object_action.data import gather_objects, warn_of_other_tracking
        from vidlstm.tasks.object_action.network import object_network_of_card

        card = trained.card
        settings: Any = like_training(card, data, side, (*KEPT, "max_gap_seconds", "minimum_seconds"))
        warn_of_other_tracking(settings, card.objects.tracking)
        side, train, chosen = choose_clips(settings, side, card, trained.path)
        filled = gather_objects(
            train,
            chosen,
            card.labels,
            data=settings,
            network=object_network_of_card(card, backbone, device=run.device),
            batch_size=backbone.batch_size,
            sampling=dataclasses.replace(sampling, fps=card.fps, image_fps=card.image_fps),
            run=dataclasses.replace(run, seed=card.seed),
        )
        return self.scored(trained, filled, settings, side, out, run.device)

    def predictor(
        self,
        trained: Trained[ObjectActionCard],
        settings: PredictSettings,
        *,
        device: str | None = None,
        backbone: Backbone | None = None,
    ) -> Predictor:
        """A network that tracks objects and slides over each."""
        from vidlstm.tasks.object_action.network import object_network_of_card
        from vidlstm.tasks.object_action.predictor import ObjectActionPredictor

        network = object_network_of_card(trained.card, settings.backbone, device=device, given=backbone)
        return ObjectActionPredictor(trained, network, settings, device=device)

    def tracking_defaults(self, card: ObjectActionCard) -> dict[str, Any]:
        """As the objects of the training were found, but for the place of the network's file."""
        known = TrackingSettings.__dataclass_fields__.keys() - {"weights", "trust", "boxes"}
        return {name: value for name, value in card.objects.tracking.items() if name in known}

    def told(self, prediction: ObjectActions) -> Iterable[str]:
        """The segments of the scene and of each track."""
        yield prediction.video
        if prediction.scene.produced_by["random_weights"]:
            yield RANDOM
        yield from _segments("scene", prediction.scene)
        for track_id, of_track in prediction.tracks.items():
            yield from _segments(f"track {track_id}", of_track)
        if prediction.short_tracks:
            yield f"  seen too shortly to be judged: {', '.join(map(str, prediction.short_tracks))}"


def _segments(name: str, prediction: ActionPrediction) -> Iterable[str]:
    for s in prediction.segments:
        yield f"  {name:<10} {s.start_seconds:8.2f} - {s.end_seconds:8.2f} s  {s.label}  {s.probability:.2f}"
