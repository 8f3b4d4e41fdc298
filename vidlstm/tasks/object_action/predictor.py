"""A classifier of tracked objects: videos to what each object does, and when."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.backbones.weights import sha256_of
from vidlstm.devices import resolve_device
from vidlstm.features.crops import CountedFrames
from vidlstm.features.extract import store_folder
from vidlstm.features.in_process import features_of_frames
from vidlstm.features.read_tracks import tracked_objects
from vidlstm.files import held
from vidlstm.inference.object_windows import ObjectWindowClassifier
from vidlstm.inference.windows import Cut
from vidlstm.models.bags import BagClassifier
from vidlstm.models.fusion import why_not_causal
from vidlstm.render.sinks import Material, suffixes
from vidlstm.settings import SamplingSettings
from vidlstm.tasks.base import Run
from vidlstm.tasks.frames import How, engine_of
from vidlstm.tasks.object_action.data import objects_of, sequences_of
from vidlstm.tasks.predictor import Outcome, Work, origin
from vidlstm.tasks.tracking_predictor import TRACKS, TrackingPredictor
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vidlstm.cards import ObjectActionCard
    from vidlstm.features.engines import Engine
    from vidlstm.features.tracked_objects import TrackedObjects
    from vidlstm.settings import PredictSettings
    from vidlstm.structures import FeatureSequence, ObjectActions
    from vidlstm.tasks.base import Trained
    from vidlstm.tasks.live import Watcher
    from vidlstm.tasks.object_action.network import ObjectNetwork


class ObjectActionPredictor(TrackingPredictor):
    """Says what each person or thing does.

    ``predict`` takes videos and frames, finds and follows the objects in them with the network that
    ``settings.tracking.weights`` names, and gives :class:`~vidlstm.structures.ObjectActions`. One video is
    tracked at a time, however many threads ask.

    Args:
        trained: the checkpoint.
        network: what describes each object.
        settings: how it is used.
        device: None takes a GPU where there is one.

    Attributes:
        labels: the K class names.
        windows: the classifier that slides over all objects.
    """

    kind = "object_action"
    card: ObjectActionCard

    def __init__(
        self,
        trained: Trained[ObjectActionCard],
        network: ObjectNetwork,
        settings: PredictSettings,
        *,
        device: str | None = None,
    ) -> None:
        super().__init__(trained.path, trained.card, settings, device=device)
        card = trained.card
        self.labels, self.network = card.labels, network
        self.model = trained.model.to(resolve_device(device))
        self.windows = ObjectWindowClassifier(
            self.model,
            self.labels,
            Cut.of(settings.window, card.window_seconds),
            feature_dim=card.feature_dim,
            step_seconds=1 / card.fps,
            minimum_object_seconds=card.objects.minimum_seconds,
            produced_by=origin(trained.path, card.fps, network),
        )
        self._check_weights()

    def _check_weights(self) -> None:
        trained, given = self.card.objects.tracking.get("weights_sha256"), self.settings.tracking.weights
        if trained and given and given.is_file() and sha256_of(given) != trained:
            warnings.warn(
                f"{given} is not the network that found the objects of this checkpoint's training",
                stacklevel=3,
            )

    def source_hint(self) -> str:
        """The SHA-256 of the network's file."""
        digest = self.card.objects.tracking.get("weights_sha256")
        return f"; the objects of the training were found with the file of SHA-256 {digest}" if digest else ""

    def predict(
        self, source: str | Path | np.ndarray | FeatureSequence, *, fps: float | None = None
    ) -> ObjectActions:
        """Predicts one video; see :meth:`Predictor.predict`. Features of whole frames are of no use here."""
        if not isinstance(source, str | Path | np.ndarray):
            raise ValueError("objects are tracked in videos and frames, not in features")
        name, video, rate, table, summary = self.track(source, fps)
        objects = tracked_objects(table, fps=self.card.fps, source=name).get(name)
        sequences = []
        if objects is not None:
            pictures = self._pictures(objects, video, rate)
            sequences = sequences_of(objects, self.network, pictures, self.card.objects.max_gap_seconds)
        return self.windows(
            name, sequences, first_seconds=summary.first_seconds, last_seconds=summary.last_seconds
        )

    def _pictures(self, objects: TrackedObjects, video: Any, rate: float | None) -> np.ndarray:
        """Features of what is cut out, a row a box; without a network, of no width."""
        network, tracking = self.network.crops, self.settings.tracking
        if network is None:
            return np.zeros((len(objects), 0), np.float16)
        crops = objects.crops(self.network.crop_margin)
        with open_video(
            video,
            decoder=tracking.decoder,
            wanted=CountedFrames(crops),
            image_fps=rate or tracking.image_fps,
        ) as reader:
            cut = crops.cut_from(reader, network.views, network.size)
            _, features = features_of_frames(cut, network, batch_size=self.settings.backbone.batch_size)
        return features

    def watcher(self, sources: int) -> Watcher:
        """What follows the objects of many sources; see :meth:`Predictor.watcher`."""
        from vidlstm.tasks.object_action.live import ObjectWatcher

        return ObjectWatcher(self, sources)

    def why_not_carried(self) -> str:
        """Why the states of objects are not carried; see :meth:`Predictor.why_not_carried`."""
        model: Any = self.model
        return why_not_causal(model.sequences if isinstance(model, BagClassifier) else model)

    def outcomes(self, inputs: Sequence[Path], work: Work) -> Iterator[Outcome]:
        """Tracks many videos into ``tracks.parquet``, then predicts each; see :meth:`Predictor.outcomes`."""
        with held(work.out / TRACKS):
            yield from self._outcomes(inputs, work)

    def _outcomes(self, inputs: Sequence[Path], work: Work) -> Iterator[Outcome]:
        report, table = self.track_all(inputs, work)
        records = {Path(record["video"]): record for record in report.videos}
        with store_folder(work.store, work.out) as root:
            how = How(self._sampling(), self.settings.backbone.batch_size)
            gap = self.card.objects.max_gap_seconds
            run = Run(root, engine=self._engine(work), progress=work.progress)
            done = objects_of(list(records), work.out / TRACKS, self.network, how, gap, run)
        work.failures += done.failures
        stems = self.stems(inputs, work.out)
        for path, record in ((p, r) for p, r in records.items() if p in done.sequences):
            with work.one(path):
                prediction = self.windows(
                    str(path),
                    done.sequences[path],
                    first_seconds=record["first_seconds"],
                    last_seconds=record["last_seconds"],
                )
                material = Material(
                    open_video=self.open_video(),
                    tracks=table,
                    fps={str(path): record["fps"]} if record["fps"] else {},
                )
                yield Outcome(prediction, stems[path], material, suffixes(self.kind))

    def _engine(self, work: Work) -> Engine | None:
        """What runs the network that sees what is cut out, where there is one."""
        if self.network.crops is None:
            return None
        spec, source = self.network.crops.spec, self.card.weights_source
        return engine_of(work, spec, source, self.settings.backbone)

    def stems(self, inputs: Sequence[Path], out: Path) -> dict[Path, Path]:
        """Also keeps clear of the table of tracks and its ledger, ``tracks.json``."""
        stems = super().stems(inputs, out)
        table = Path(TRACKS).stem
        return {p: s.with_name(p.name) if s.name.casefold() == table else s for p, s in stems.items()}

    def _sampling(self) -> SamplingSettings:
        """Decodes as the tracking does, at the rate of the training."""
        tracking = self.settings.tracking
        return SamplingSettings(
            fps=self.card.fps,
            decoder=tracking.decoder,
            image_fps=tracking.image_fps,
            timeout_seconds=tracking.timeout_seconds,
        )
