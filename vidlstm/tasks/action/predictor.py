"""A classifier of whole frames and its backbone: videos to segments."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.datasets.videos import find_videos
from vidlstm.features.extract import fill_store, make_store, store_folder
from vidlstm.features.in_process import features_of_video
from vidlstm.features.lanes import Lanes
from vidlstm.features.store import storable
from vidlstm.inference.stream import CarriedState, SlidingWindow
from vidlstm.inference.windows import Cut, WindowClassifier
from vidlstm.models.fusion import why_not_causal
from vidlstm.render.sinks import Material, suffixes
from vidlstm.structures import FeatureSequence
from vidlstm.tasks.predictor import Outcome, Predictor, Work, origin, rate_of
from vidlstm.video.arrays import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.inference.stream import Streams
    from vidlstm.settings import PredictSettings
    from vidlstm.structures import ActionPrediction
    from vidlstm.tasks.base import Trained


class ActionPredictor(Predictor):
    """Says what happens when.

    ``predict`` takes videos, frames and features, and gives an
    :class:`~vidlstm.structures.ActionPrediction`. Features of the same frames give the same prediction bit
    for bit; frames in memory are scaled here as a folder of images is, a video file by its decoder, which
    rounds colours a little otherwise.

    Args:
        trained: the checkpoint.
        backbone: makes the features.
        settings: how it is used.

    Attributes:
        labels: the K class names.
        backbone: the frozen network.
        windows: the classifier that slides over features.
    """

    kind = "action"
    card: Any  # that of the task

    def __init__(self, trained: Trained[Any], backbone: Backbone, settings: PredictSettings) -> None:
        super().__init__(trained.path, trained.card, settings)
        self.labels, self.backbone = trained.card.labels, backbone
        self.model = trained.model.to(backbone.device)
        on_cpu = backbone.device.type == "cpu"  # there lanes are cheap, and change settings of the process
        self._lanes = None if on_cpu else Lanes(backbone, settings.backbone.batch_size)
        self.windows = self._windows(origin(trained.path, trained.card.fps, backbone))

    def _windows(self, produced_by: dict[str, Any]) -> Any:
        """What makes a prediction of a video's name and features."""
        cut = Cut.of(self.settings.window, self.card.window_seconds)
        step = 1 / self.card.fps
        return WindowClassifier(self.model, self.labels, cut, step_seconds=step, produced_by=produced_by)

    def predict(
        self, source: str | Path | np.ndarray | FeatureSequence, *, fps: float | None = None
    ) -> ActionPrediction:
        """Predicts one video; see :meth:`Predictor.predict`. Features may be an array ``(T, F)``, too."""
        video = str(source) if isinstance(source, str | Path) else NAME
        prediction: ActionPrediction = self.windows(video, self.features(source, fps=fps))
        return prediction

    def features(
        self, source: str | Path | np.ndarray | FeatureSequence, *, fps: float | None = None
    ) -> FeatureSequence:
        """What the network reads of a video; features pass through."""
        if isinstance(source, FeatureSequence):
            return self._checked(source)
        if isinstance(source, np.ndarray) and source.ndim == 2:
            if not np.isrealobj(source) or source.dtype == object:
                raise ValueError(f"features are real numbers, not {source.dtype}")
            times = np.arange(len(source)) / rate_of(fps)
            return self._checked(FeatureSequence(storable(source, NAME), times))
        if not isinstance(source, str | Path | np.ndarray):
            raise ValueError(f"frames are one array, RGB uint8 (T, H, W, 3): {type(source).__name__} given")
        in_memory = isinstance(source, np.ndarray)
        sampling = self.settings.sampling
        return features_of_video(
            source,
            self.backbone,
            fps=self.card.fps,
            decoder=sampling.decoder,
            image_fps=rate_of(fps) if in_memory else fps or self.card.image_fps,
            batch_size=self.settings.backbone.batch_size,
            lanes=self._lanes,
        )

    def _checked(self, sequence: FeatureSequence) -> FeatureSequence:
        width = sequence.features.shape[1]
        if width != self.card.feature_dim:
            raise ValueError(f"features are (T, {self.card.feature_dim}) here, not (T, {width})")
        times = sequence.timestamps_seconds
        if not np.isfinite(sequence.features).all() or not np.isfinite(times).all():
            raise ValueError("features and their times must be finite numbers")
        if len(times) > 1 and not (np.diff(times) > 0).all():
            raise ValueError("the times of features must rise")
        if len(times) > 2 and (rate := 1 / float(np.median(np.diff(times)))) > 1.5 * self.card.fps:
            warnings.warn(
                f"features at {rate:.3g} a second; the network was trained on {self.card.fps:g}", stacklevel=4
            )
        return sequence

    def streams(self) -> Streams:
        """What goes on from step to step; see :meth:`Predictor.streams`."""
        why = why_not_causal(self.model)
        return SlidingWindow(self.windows, self.windows.cut) if why else CarriedState(self.model)

    def why_not_carried(self) -> str:
        """Why no state is carried; see :meth:`Predictor.why_not_carried`."""
        return why_not_causal(self.model)

    def outcomes(self, inputs: Sequence[Path], work: Work) -> Iterator[Outcome]:
        """Predicts many videos; see :meth:`Predictor.outcomes`."""
        paths = find_videos(inputs)
        stems = self.stems(inputs, work.out)
        material = Material(open_video=self.open_video(), truth=work.truth)
        with store_folder(work.store, work.out) as root:
            store = make_store(root, self.backbone, fps=self.card.fps, image_fps=self.card.image_fps)
            report = fill_store(
                paths,
                store,
                self.backbone,
                sampling=self.settings.sampling,
                batch_size=self.settings.backbone.batch_size,
                progress=work.progress,
            )
            work.failures += report.failures
            for path in (p for p in paths if p in report.hashes):
                with work.one(path):
                    prediction = self.windows(str(path), store.get(report.hashes[path]))
                    yield Outcome(prediction, stems[path], material, suffixes(self.kind))
