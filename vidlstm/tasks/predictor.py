"""What every predictor promises: loaded once, used many times, from several threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import vidlstm
from vidlstm.backbones.weights import sha256_of
from vidlstm.datasets.videos import find_videos
from vidlstm.errors import SettingsError, VideoError, VidlstmError
from vidlstm.render.names import output_stems
from vidlstm.settings import OnlineSettings, settings_from
from vidlstm.structures import Failure
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np

    from vidlstm.cards import Card
    from vidlstm.inference.stream import Streams
    from vidlstm.render.sinks import Material
    from vidlstm.settings import PredictSettings
    from vidlstm.structures import FeatureSequence, Progress
    from vidlstm.tasks.live import Watcher
    from vidlstm.tasks.stream import Stream


@dataclass
class Work:
    """Many videos to predict, and what is shared among them.

    Attributes:
        out: the folder of the outputs.
        store: the root of a feature store; None keeps no features.
        truth: true segments, drawn beside the predicted ones.
        progress: told of tracking and extraction.
        engine: local, or ray: a cluster tracks, decodes and runs the backbone.
        address: of the cluster, ``HOST:PORT`` or auto; None starts one on this machine.
        failures: the videos that failed so far.
        files: what was written beside the outputs of predictions, such as a tracks table.
    """

    out: Path
    store: Path | None = None
    truth: tuple[Any, ...] | None = None
    progress: Progress | None = None
    engine: str = "local"
    address: str | None = None
    failures: list[Failure] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @contextmanager
    def one(self, path: Path) -> Iterator[None]:
        """Keeps what goes wrong with one video among the failures, and the others going."""
        try:
            yield
        except VideoError as error:
            self.failures.append(Failure(path, error.reason, error.detail))
        except (VidlstmError, MemoryError) as error:
            self.failures.append(
                Failure(path, "unreadable", str(error) or "it takes more memory than there is")
            )


@dataclass(frozen=True)
class Outcome:
    """One prediction on its way to its outputs.

    Attributes:
        prediction: of the predictor's kind.
        stem: of the files it goes to, without a suffix.
        material: what they may show beside it.
        outputs: the suffixes that are written where none are asked for.
    """

    prediction: Any
    stem: Path
    material: Material
    outputs: tuple[str, ...]


class Predictor(ABC):
    """A network, its card and its backbone, loaded once.

    ``predict`` may be called from several threads at once; memory does not grow with the number of calls.

    Attributes:
        kind: of its predictions, in ``render/sinks.py``.
        path: the checkpoint.
        card: what the checkpoint says of itself.
        settings: how it is used.
        model: the network, in eval mode, on its device.
    """

    kind: ClassVar[str]
    model: Any

    def __init__(self, path: Path, card: Card, settings: PredictSettings) -> None:
        self.path, self.card, self.settings = path, card, settings

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @abstractmethod
    def predict(self, source: str | Path | np.ndarray | FeatureSequence, *, fps: float | None = None) -> Any:
        """Predicts one video.

        Args:
            source: a video file or a folder of images; RGB uint8 frames ``(T, H, W, 3)`` of any size; or
                what the predictor makes of them on the way, where it says so.
            fps: the rate of frames and of features in an array.

        Raises:
            VidlstmError: see its subclasses.
            ValueError: an array is of the wrong kind, or its rate is not given.
        """

    @abstractmethod
    def outcomes(self, inputs: Sequence[Path], work: Work) -> Iterator[Outcome]:
        """Predicts many videos, decoded in other processes; one that fails does not stop the others.

        Args:
            inputs: files, and folders to search for them.
            work: what is shared; takes the failures.
        """

    def streams(self) -> Streams:
        """What says, from step to step, what many sources show; each call gives one without a past.

        Raises:
            SettingsError: predictions of this kind are not made step by step.
        """
        raise SettingsError(
            f"a checkpoint of {self.card.task} follows objects: watch does, a stream of frames does not"
        )

    def watcher(self, sources: int) -> Watcher:
        """What says, frame by frame, what many sources show; to be closed when nothing more comes.

        Args:
            sources: how many there are at most.

        Raises:
            SettingsError: see :meth:`streams`.
        """
        from vidlstm.tasks.live import WholeFrames

        return WholeFrames(self, sources)

    def why_not_carried(self) -> str:
        """Why :meth:`streams` reads windows anew: empty, or the setting of the training to change."""
        return ""

    def stream(
        self, *, fps: float | None = None, online: OnlineSettings | dict[str, Any] | None = None
    ) -> Stream:
        """One source for a loop of one's own.

        >>> stream = model.stream()  # doctest: +SKIP
        >>> for frame, seconds in camera:  # doctest: +SKIP
        ...     for change in stream.push(frame, seconds):
        ...         print(change.kind, change.label, change.start_seconds)

        Args:
            fps: how often a frame is looked at; None is the rate of the training.
            online: when a label begins and is over.
        """
        from vidlstm.tasks.stream import Stream

        card: Any = self.card
        rule = settings_from(OnlineSettings, online, section="online")
        return Stream(self, card.fps if fps is None else fps, rule)

    def reads(self, inputs: Sequence[Path]) -> list[Path]:
        """The files that are read for inputs; none of them may be written over."""
        return find_videos(inputs)

    def stems(self, inputs: Sequence[Path], out: Path) -> dict[Path, Path]:
        """Folder and name, without an ending, of the outputs of each file that is read."""
        return {path: out / stem for path, stem in output_stems(self.reads(inputs)).items()}

    def open_video(self) -> Any:
        """What opens a video of a prediction as it was read."""
        sampling = self.settings.sampling
        return partial(open_video, decoder=sampling.decoder, image_fps=sampling.image_fps)


def origin(path: Path, fps: float, network: Any) -> dict[str, Any]:
    """The record of what produced a prediction.

    Args:
        path: the checkpoint.
        fps: features per second.
        network: what makes the features, with ``spec``, ``weights_source`` and ``is_random``.
    """
    return {
        "vidlstm": vidlstm.__version__,
        "checkpoint": str(path),
        "checkpoint_sha256": sha256_of(path),
        "backbone": network.spec,
        "weights_source": network.weights_source,
        "random_weights": network.is_random,
        "fps": fps,
    }


def rate_of(fps: float | None) -> float:
    """The rate of an array.

    Raises:
        ValueError: it is not given, or is none.
    """
    if fps is None:
        raise ValueError("frames in memory have no clock of their own; say how many a second: fps=25")
    if not 1e-3 <= fps <= 1e6:
        raise ValueError(f"fps is a rate, from 0.001 to a million a second, not {fps}")
    return float(fps)
