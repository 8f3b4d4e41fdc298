"""A classifier of whole frames and its backbone: videos to segments."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.addresses import address
from vidlstm.datasets.videos import find_videos
from vidlstm.errors import SettingsError
from vidlstm.features.extract import fill_store, make_store, store_folder
from vidlstm.features.given import GivenFeatures
from vidlstm.features.given_files import find_feature_files, refuse_feature_files
from vidlstm.features.in_process import features_of_video
from vidlstm.features.lanes import Lanes
from vidlstm.features.store import storable
from vidlstm.inference.stream import CarriedState, SlidingWindow
from vidlstm.inference.windows import Cut, WindowClassifier
from vidlstm.models.fusion import why_not_causal
from vidlstm.render.sinks import Material, suffixes
from vidlstm.structures import FeatureSequence
from vidlstm.tasks.frames import WITHOUT_NETWORK, engine_of
from vidlstm.tasks.predictor import Outcome, Predictor, Work, origin, rate_of
from vidlstm.video.arrays import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
    rounds colours a little otherwise. A network that was trained on features that were made elsewhere takes
    files of such, and no videos.

    Args:
        trained: the checkpoint.
        backbone: gives the features.
        settings: how it is used.

    Attributes:
        labels: the K class names.
        backbone: the frozen network, or what reads files of features.
        windows: the classifier that slides over features.
    """

    kind = "action"
    card: Any  # that of the task

    def __init__(
        self, trained: Trained[Any], backbone: Backbone | GivenFeatures, settings: PredictSettings
    ) -> None:
        super().__init__(trained.path, trained.card, settings)
        self.labels, self.backbone = trained.card.labels, backbone
        self.model = trained.model.to(backbone.device)
        # On a CPU lanes are cheap, and change settings of the process.
        alone = isinstance(backbone, GivenFeatures) or backbone.device.type == "cpu"
        self._lanes = None if alone else Lanes(self.require_network(), settings.backbone.batch_size)
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
            given = isinstance(self.backbone, GivenFeatures)
            kept = np.asarray(source, np.float32) if given else storable(source, NAME)
            return self._checked(FeatureSequence(kept, times))
        if not isinstance(source, str | Path | np.ndarray):
            raise ValueError(f"frames are one array, RGB uint8 (T, H, W, 3): {type(source).__name__} given")
        in_memory = isinstance(source, np.ndarray)
        if isinstance(self.backbone, GivenFeatures):
            if in_memory:
                raise ValueError(f"{WITHOUT_NETWORK}: features (T, F) are wanted, not frames")
            return self._checked(self.backbone.read(Path(str(source))))
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
        self.require_network()
        why = why_not_causal(self.model)
        return SlidingWindow(self.windows, self.windows.cut) if why else CarriedState(self.model)

    def why_not_carried(self) -> str:
        """Why no state is carried; see :meth:`Predictor.why_not_carried`."""
        return why_not_causal(self.model)

    def require_network(self) -> Backbone:
        """The backbone, for what looks at pictures.

        Raises:
            SettingsError: features were made elsewhere.
        """
        if isinstance(self.backbone, GivenFeatures):
            raise SettingsError(f"{self.path} sees no pictures: {WITHOUT_NETWORK}")
        return self.backbone

    def reads(self, inputs: Sequence[Path]) -> list[Path]:
        """Videos, or files of features; see :meth:`Predictor.reads`.

        Raises:
            SettingsError: one is given for the other.
        """
        if isinstance(self.backbone, GivenFeatures):
            return find_feature_files(inputs)
        name = self.card.backbone["backbone"]
        refuse_feature_files(inputs, f"this checkpoint of {self.card.task} reads videos, through {name}")
        return find_videos(inputs)

    def outcomes(self, inputs: Sequence[Path], work: Work) -> Iterator[Outcome]:
        """Predicts many videos; see :meth:`Predictor.outcomes`."""
        given = isinstance(self.backbone, GivenFeatures)
        stems = self.stems(inputs, work.out)
        material = Material(open_video=None if given else self.open_video(), truth=work.truth)
        written = tuple(suffix for suffix in suffixes(self.kind) if not (given and suffix == "mp4"))
        for path, sequence_of in self._sequences(self.reads(inputs), work):
            with work.one(path):
                yield Outcome(self.windows(address(path), sequence_of()), stems[path], material, written)

    def _sequences(
        self, paths: Sequence[Path], work: Work
    ) -> Iterator[tuple[Path, Callable[[], FeatureSequence]]]:
        """Each file, and what reads its features."""
        if isinstance(self.backbone, GivenFeatures):
            yield from ((path, partial(self.features, path)) for path in paths)
            return
        with store_folder(work.store, work.out) as root:
            store = make_store(root, self.backbone, fps=self.card.fps, image_fps=self.card.image_fps)
            report = fill_store(
                paths,
                store,
                self.backbone,
                sampling=self.settings.sampling,
                batch_size=self.settings.backbone.batch_size,
                engine=engine_of(work, self.card.backbone, self.card.weights_source, self.settings.backbone),
                progress=work.progress,
            )
            work.failures += report.failures
            yield from (
                (path, partial(store.get, report.hashes[path])) for path in paths if path in report.hashes
            )
