"""``bench``: what this machine does with your own videos, stage by stage, against its limit."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidlstm.backbones.base import USUAL_BATCH, best_dtype
from vidlstm.backbones.build import build_backbone
from vidlstm.backbones.cpu import available_cores
from vidlstm.datasets.videos import find_videos
from vidlstm.devices import resolve_device
from vidlstm.errors import VideoError
from vidlstm.features.costs import Spent, decoded, limit_of, run_backbone
from vidlstm.features.extract import fill_store, make_store
from vidlstm.models.fusion import build_classifier
from vidlstm.settings import (
    ActionModelSettings,
    BackboneSettings,
    SamplingSettings,
    Seconds,
    WatchSettings,
    plain,
    settings_from,
    value_from,
)
from vidlstm.tasks.stream import frames_together
from vidlstm.training.rates import large_enough, training_rate
from vidlstm.training.threads import threads_that_pay, using_threads
from vidlstm.verbs.inputs import videos_from
from vidlstm.verbs.load import load
from vidlstm.verbs.watch import watch
from vidlstm.video.piece import piece_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.tasks.predictor import Predictor
    from vidlstm.verbs.watched import SourceReport

MOST_VIDEOS = 16
"""Of those given, so many are measured, spread evenly over them."""

LOAD = 0.8
"""Ages are measured with so many cameras as take this share of what the machine has carried."""

ON_A_GPU = (32, 128, 512)
"""Batch sizes that are tried there; on a CPU networks run few frames at a time, whatever the batch."""

TRAINED_ON_A_CPU, TRAINED_ON_A_GPU = (8, 16, 32), (32, 128, 512, 1024)
"""Batch sizes of the training that are tried."""


@dataclass(frozen=True)
class Stage:
    """What one stage took.

    Attributes:
        stage: ``decode``, ``backbone``, ``training``, ``recurrent``, ``end to end``, or ``watch``.
        how: the reader and codec, the number format and batch, ...
        cpu_ms: CPU-milliseconds a frame that becomes a feature.
        frames_per_second: as measured, alone on all cores, or on the GPU.
        frames: how many it was measured on.
    """

    stage: str
    how: str
    cpu_ms: float
    frames_per_second: float
    frames: int

    @staticmethod
    def of(stage: str, how: str, spent: Spent) -> Stage:
        """What was measured, by its name."""
        return Stage(stage, how, spent.cpu_ms, spent.frames_per_second, spent.frames)


@dataclass
class BenchReport:
    """What a machine does.

    Attributes:
        stages: what each takes.
        figures: ``limit_frames_per_second`` (see ``features/costs.py``), what was reached of it, and, with a
            checkpoint, how many cameras that is and how old answers are; without one, from how many clips a
            batch on a training hardly gets faster.
        settings: those that were fastest, by full name; empty with a checkpoint.
        failures: what could not be measured, and why.
    """

    stages: list[Stage] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As it goes to JSON."""
        return asdict(self)


def bench(
    videos: Path | str | Sequence[Path | str],
    *,
    checkpoint: Path | str | Predictor | None = None,
    seconds: float = 10.0,
    backbone: BackboneSettings | Mapping[str, Any] | str | None = None,
    sampling: SamplingSettings | Mapping[str, Any] | None = None,
    device: str | None = None,
    step: Callable[[str], None] = lambda text: None,
) -> BenchReport:
    """Measures this machine on videos.

    >>> bench("clips/", backbone="mobilenet_v2").settings  # doctest: +SKIP
    >>> bench("hall.mp4", checkpoint="run/best.ckpt").figures["streams"]  # doctest: +SKIP

    Args:
        videos: files, folders of images, and folders to search for them.
        checkpoint: how many cameras can be watched with it; None measures the extraction of features.
        seconds: about how long each stage is measured, and how much of each video is read.
        backbone, sampling: as for ``extract``, or, with a checkpoint, as for ``load``.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        step: told what begins.

    Raises:
        VideoError: no video can be read.
        VidlstmError: see its other subclasses.
    """
    seconds, resolved = value_from(Seconds, seconds, name="seconds"), str(resolve_device(device))
    parts = {"backbone": backbone, "sampling": sampling, "device": device}
    given: dict[str, Any] = {name: value for name, value in parts.items() if value is not None}
    model: Any = load(checkpoint, **given) if isinstance(checkpoint, str | Path) else checkpoint
    if model is not None:
        model.streams()  # what cannot be watched so is refused before anything is measured
    found = find_videos(videos_from(videos, "videos"))
    chosen = found[:: max(1, len(found) // MOST_VIDEOS)][:MOST_VIDEOS]
    with tempfile.TemporaryDirectory(prefix="vidlstm-bench-") as folder:
        pieces = [piece_of(path, seconds, Path(folder)) for path in chosen]
        if model is None:
            how = settings_from(BackboneSettings, backbone, section="backbone")
            frames = settings_from(SamplingSettings, sampling, section="sampling")
            return _Extraction(pieces, how, frames, seconds, resolved, step).run(Path(folder))
        return _Watching(pieces, model, seconds, step).run()


class _Measuring:
    """What both kinds share: the report, and pictures of all videos."""

    def __init__(self, videos: list[Path], seconds: float, step: Callable[[str], None]) -> None:
        self.videos, self.seconds, self.step = videos, seconds, step
        self.report = BenchReport(figures={"cores": available_cores()})

    def decode(
        self, backbone: Backbone, sampling: SamplingSettings, decoder: Any
    ) -> tuple[Spent, np.ndarray]:
        """Decodes all videos, and lists those that cannot be."""
        spent, images, errors = Spent(), list[np.ndarray](), list[VideoError]()

        def all_of_them() -> int:
            shown = decoded(
                self.videos,
                backbone,
                fps=sampling.fps,
                decoder=decoder,
                most=max(1, round(self.seconds * sampling.fps)),
                image_fps=sampling.image_fps,
                failures=errors,
            )
            images.extend(image for pictures in shown.values() for _, image in pictures)
            return len(images)

        spent.add(all_of_them)
        self.report.failures += [f"{decoder}: {error}" for error in errors]
        if not images:
            raise errors[0] if errors else VideoError(self.videos[0], reason="empty")
        return spent, np.stack(images)

    def note(self, stage: str, how: str, spent: Spent) -> Spent:
        """Takes down what a stage took."""
        self.report.stages.append(Stage.of(stage, how, spent))
        return spent


class _Extraction(_Measuring):
    """Videos to features: which reader, number format and batch are fastest."""

    def __init__(
        self,
        videos: list[Path],
        backbone: BackboneSettings,
        sampling: SamplingSettings,
        seconds: float,
        device: str,
        step: Callable[[str], None],
    ) -> None:
        super().__init__(videos, seconds, step)
        self._backbone, self._sampling, self._device = backbone, sampling, device

    def run(self, folder: Path) -> BenchReport:
        """Measures each stage, and the whole with what was fastest."""
        network = build_backbone(self._backbone, device=self._device)
        images, decode = self._readers(network)
        best, network, running = self._networks(images)
        self.report.settings.update({"backbone.dtype": best.dtype, "backbone.batch_size": best.batch_size})
        self._training(network)
        self.step("end to end, with what was fastest")
        whole = self.note("end to end", "decode, backbone, store", self._whole(best, network, folder))
        on_device = [running] if self._device != "cpu" else []
        limit = limit_of([decode, running], on_device)
        busy = {
            "decode": decode.cpu_ms / available_cores(),
            "backbone": running.wall_ms if on_device else running.cpu_ms / available_cores(),
        }
        self.report.figures |= {
            "device": self._device,
            "limit_frames_per_second": limit,
            "frames_per_second": whole.frames_per_second,
            "ratio_to_limit": whole.frames_per_second / limit,
            "limited_by": max(busy, key=lambda stage: busy[stage]),
        }
        return self.report

    def _readers(self, network: Backbone) -> tuple[np.ndarray, Spent]:
        """Decodes with each reader; the fastest that reads every frame is recommended."""
        found: dict[str, tuple[Spent, np.ndarray]] = {}
        for decoder in ("pyav", "opencv"):
            self.step(f"decoding with {decoder}")
            try:
                found[decoder] = self.decode(network, self._sampling, decoder)
            except VideoError as error:
                failure = error
                continue
            self.note("decode", decoder, found[decoder][0])
        if not found:
            raise failure
        most = max(spent.frames for spent, _ in found.values())
        whole = {name: f for name, f in found.items() if f[0].frames == most}
        fastest = min(whole, key=lambda name: whole[name][0].cpu_ms)
        alone = fastest == "opencv" and len(found) > 1
        self.report.settings["sampling.decoder"] = "opencv" if alone else "auto"
        spent, images = whole[fastest]
        return images, spent

    def _networks(self, images: np.ndarray) -> tuple[BackboneSettings, Backbone, Spent]:
        """Runs the backbone in every number format and batch size worth trying."""
        given = self._backbone
        best = best_dtype(torch.device(self._device))
        dtypes = list(dict.fromkeys(["float32", best])) if given.dtype == "auto" else [given.dtype]
        batches = [given.batch_size or USUAL_BATCH] if self._device == "cpu" else ON_A_GPU
        tried: list[tuple[BackboneSettings, Backbone, Spent]] = []
        for dtype in dtypes:
            for batch_size in batches:
                how = replace(given, dtype=dtype, batch_size=batch_size)  # type: ignore[arg-type]
                self.step(f"the backbone in {dtype}, {batch_size} frames a batch")
                network = build_backbone(how, device=self._device)
                spent = run_for(network, images, batch_size, self.seconds)
                tried.append((how, network, self.note("backbone", f"{dtype}, batch {batch_size}", spent)))
        return min(tried, key=lambda one: one[2].wall_ms)

    def _training(self, network: Backbone) -> None:
        """Trains the default classifier on such features in several batch sizes."""
        model, rates = plain(ActionModelSettings()), dict[int, float]()
        for size in TRAINED_ON_A_CPU if self._device == "cpu" else TRAINED_ON_A_GPU:
            self.step(f"training, {size} clips a batch")
            classifier = build_classifier([network.feature_dim], 2, **model)
            spent = training_rate(classifier, network.feature_dim, size, self._device, self.seconds / 8)
            rates[size] = self.note("training", f"batch {size}", spent).frames_per_second
        self.report.figures["training_batch_size"] = large_enough(rates)

    def _whole(self, settings: BackboneSettings, network: Backbone, folder: Path) -> Spent:
        spent = Spent()
        sampling = replace(self._sampling, decoder=self.report.settings["sampling.decoder"])

        def extraction() -> int:
            store = make_store(folder / "store", network, fps=sampling.fps, image_fps=sampling.image_fps)
            done = fill_store(self.videos, store, network, sampling=sampling, batch_size=settings.batch_size)
            return done.features

        spent.add(extraction)
        return spent


class _Watching(_Measuring):
    """How many cameras a checkpoint can be watched with on this machine."""

    def __init__(self, videos: list[Path], model: Any, seconds: float, step: Callable[[str], None]) -> None:
        super().__init__(videos, seconds, step)
        self._model, self._fps = model, float(model.card.fps)

    def run(self) -> BenchReport:
        """Measures each stage, then watches: as fast as it goes, and at the pace of cameras."""
        model = self._model
        self._streams = model.streams()
        sampling = replace(model.settings.sampling, fps=self._fps)
        self.step("decoding")
        decode, images = self.decode(model.backbone, sampling, sampling.decoder)
        self.note("decode", sampling.decoder, decode)
        sources = max(2, min(8, len(images)))
        self.step("the backbone")
        batch = frames_together(model.backbone, sources)
        running = self.note(
            "backbone", f"batch {batch}", run_for(model.backbone, images, batch, self.seconds)
        )
        self.step("the recurrent network")
        recurrent = self.note("recurrent", f"{sources} sources at once", self._recurrent(sources))
        on_device = [running, recurrent] if model.backbone.device.type != "cpu" else []
        limit = limit_of([decode, running, recurrent], on_device)
        self.step(f"watching {sources} sources as fast as it goes")
        fast = self.note("watch", f"{sources} sources, nothing dropped", self._fast(sources))
        self.report.figures |= {
            "device": str(model.backbone.device),
            "fps": self._fps,
            "limit_frames_per_second": limit,
            "limit_streams": limit / self._fps,
            "frames_per_second": fast.frames_per_second,
            "streams": fast.frames_per_second / self._fps,
            "ratio_to_limit": fast.frames_per_second / limit,
            **self._paced(max(1, int(LOAD * fast.frames_per_second / self._fps))),
        }
        return self.report

    def _recurrent(self, sources: int) -> Spent:
        """Steps of the recurrent network; what is in a feature makes no difference to their time."""
        x_BF = np.zeros((sources, self._model.backbone.feature_dim), np.float16)
        streams, spent, second = self._streams, Spent(), 0.0

        def steps() -> int:
            nonlocal second
            for _ in range(50):
                second += 1 / self._fps
                streams.push(list(range(sources)), x_BF, [second] * sources)
            return 50 * sources

        with using_threads(threads_that_pay(self._model.model, sources)):
            steps()  # the first is slower
            while spent.wall < min(self.seconds, 2.0):
                spent.add(steps)
        return spent

    def _fast(self, sources: int) -> Spent:
        spent = Spent()
        spent.add(lambda: sum(r.frames for r in self._watched(sources, pace="fast", drop="none")))
        return spent

    def _paced(self, sources: int) -> dict[str, Any]:
        self.step(f"watching {sources} at their own pace")
        reports = self._watched(sources, pace="real")
        frames, dropped = sum(r.frames for r in reports), sum(r.dropped_frames for r in reports)
        halves = [1000 * r.age_p50_seconds for r in reports if r.age_p50_seconds is not None]
        worst = [1000 * r.age_p99_seconds for r in reports if r.age_p99_seconds is not None]
        return {
            "paced_streams": sources,
            "age_p50_ms": float(np.median(halves)) if halves else None,
            "age_p99_ms": max(worst, default=None),
            "dropped_share": dropped / max(1, frames + dropped),
        }

    def _watched(self, sources: int, **how: Any) -> list[SourceReport]:
        names = list(islice(cycle(self.videos), sources))
        settings = WatchSettings(seconds=self.seconds, **how)
        return watch(self._model, names, on_event=lambda event: None, settings=settings).sources


def run_for(backbone: Backbone, images: np.ndarray, batch_size: int, seconds: float) -> Spent:
    """Runs pictures through a backbone, again and again, for about so long."""
    spent, most = Spent(), images[: 16 * batch_size]
    run_backbone(backbone, most[:batch_size], batch_size)  # the first batch is slower
    while spent.wall < min(seconds, 5.0):
        spent.add(lambda: run_backbone(backbone, most, batch_size))
    return spent
