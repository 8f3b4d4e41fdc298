"""``object_action``: labelled clips and the objects tracked in them to a classifier of each object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vidlstm.cards import ObjectActionCard
from vidlstm.errors import SettingsError
from vidlstm.render.moments import judged_scene, nobody
from vidlstm.settings import ObjectActionSettings, TrackingSettings, plain
from vidlstm.tasks.action.task import ClipTask
from vidlstm.tasks.frames import FEATURES, RANDOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lightning import Trainer

    from vidlstm.backbones.base import Backbone
    from vidlstm.datamodules.sequence_data import SequenceData
    from vidlstm.models.fusion import AnyClassifier
    from vidlstm.settings import BackboneSettings, PredictSettings
    from vidlstm.structures import ActionPrediction, ObjectActions
    from vidlstm.tasks.action.data import Clips
    from vidlstm.tasks.base import Run, Trained
    from vidlstm.tasks.frames import How
    from vidlstm.tasks.object_action.network import ObjectNetwork
    from vidlstm.tasks.predictor import Predictor


class ObjectActionTask(ClipTask[ObjectActionSettings, ObjectActionCard]):
    """A label a clip, or a track, learned from all its objects together and said of each."""

    name = "object_action"
    help = "clips with tracked objects: what each of them does"
    settings = ObjectActionSettings
    card = ObjectActionCard
    kind = "object_action"
    used = ("backbone", "window", "tracking", "store")
    resume_keys = (*ClipTask.resume_keys, "objects")
    kept = (*ClipTask.kept, "max_gap_seconds", "minimum_seconds")

    def check(self, settings: ObjectActionSettings) -> None:
        """There is a table; and files of features do not say which object they are of."""
        from vidlstm.tasks.object_action.data import table_of

        if settings.data.format == FEATURES:
            raise SettingsError(
                "`data.format features` is for `task action` and `task segmentation`: objects are known by "
                "their tracks and by what is cut out of the videos"
            )
        super().check(settings)
        table_of(settings.data)

    def network(
        self, settings: ObjectActionSettings, device: str | None, files: Sequence[Path]
    ) -> ObjectNetwork:
        """What describes each object."""
        from vidlstm.tasks.object_action.network import object_network

        return object_network(settings.backbone, crop_margin=settings.data.crop_margin, device=device)

    def network_of(
        self,
        card: ObjectActionCard,
        settings: BackboneSettings,
        device: str | None,
        given: Backbone | None = None,
    ) -> ObjectNetwork:
        """What described the objects of the training."""
        from vidlstm.tasks.object_action.network import object_network_of_card

        return object_network_of_card(card, settings, device=device, given=given)

    def gather(self, clips: Clips, settings: Any, network: ObjectNetwork, how: How, run: Run) -> SequenceData:
        """Bags of the sequences of each clip's objects."""
        from vidlstm.tasks.object_action.data import gather_objects

        return gather_objects(clips, settings, network, how, run)

    def values(
        self, settings: ObjectActionSettings, network: Any, data: SequenceData, seed: int
    ) -> dict[str, Any]:
        """Also how objects were found."""
        from vidlstm.tasks.object_action.data import how_tracked

        return {**super().values(settings, network, data, seed), "objects": how_tracked(settings.data)}

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

    def compare(self, settings: Any, card: ObjectActionCard) -> None:
        """Warns where the table was made in another way than that of the training."""
        from vidlstm.tasks.object_action.data import warn_of_other_tracking

        warn_of_other_tracking(settings, card.objects.tracking)

    def predictor(
        self,
        trained: Trained[ObjectActionCard],
        settings: PredictSettings,
        *,
        device: str | None = None,
        backbone: Backbone | None = None,
    ) -> Predictor:
        """A network that tracks objects and slides over each."""
        from vidlstm.tasks.object_action.predictor import ObjectActionPredictor

        network = self.network_of(trained.card, settings.backbone, device, backbone)
        return ObjectActionPredictor(trained, network, settings, device=device)

    def tracking_defaults(self, card: ObjectActionCard) -> dict[str, Any]:
        """As the objects of the training were found, but for the place of the network's file."""
        known = TrackingSettings.__dataclass_fields__.keys() - {"weights", "trust", "boxes"}
        return {name: value for name, value in card.objects.tracking.items() if name in known}

    def told(self, prediction: ObjectActions) -> Iterable[str]:
        """The segments of each track, and of the scene while one is judged."""
        yield prediction.video
        if prediction.scene.produced_by["random_weights"]:
            yield RANDOM
        if why := nobody(prediction):
            yield f"  {why}"
        yield from _segments("scene", judged_scene(prediction))
        for track_id, of_track in prediction.tracks.items():
            yield from _segments(f"track {track_id}", of_track)
        if prediction.short_tracks:
            yield f"  seen too shortly to be judged: {', '.join(map(str, prediction.short_tracks))}"


def _segments(name: str, prediction: ActionPrediction) -> Iterable[str]:
    for s in prediction.segments:
        yield f"  {name:<10} {s.start_seconds:8.2f} - {s.end_seconds:8.2f} s  {s.label}  {s.probability:.2f}"
