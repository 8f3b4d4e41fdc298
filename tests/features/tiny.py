"""A backbone of a few hundred weights and ways to run extractions with it in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import threading
import time
from fractions import Fraction
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn

from tests.fakes.videos import write_video
from vidlstm.backbones.base import Backbone
from vidlstm.backbones.network import Network
from vidlstm.backbones.weights import hash_parameters
from vidlstm.errors import StoreError
from vidlstm.features.crops import Crops
from vidlstm.features.extract import ExtractionReport, extract_features, fill_store, make_store
from vidlstm.features.launch import together
from vidlstm.features.store import FeatureStore
from vidlstm.settings import SamplingSettings
from vidlstm.structures import FrameSize, Progress
from vidlstm.video.reader import open_video

WIDTH = 24
FPS = 10.0
MS = Fraction(1, 1000)

# A server that has imported all of this forks children in no time.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


def tiny_backbone(
    *, dtype: str = "float32", seed: int = 0, fit: Any = "squash", device: str = "cpu"
) -> Backbone:
    """Two convolutions and an average, on frames of 32x32."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=4),
            nn.BatchNorm2d(16),
            nn.ReLU6(),
            nn.Conv2d(16, WIDTH, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
    network = Network(
        name="tiny",
        module=module,
        size=FrameSize(32, 32, fit),
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.25),
        weights_sha256=f"random:{hash_parameters(module)}",
        weights_source="random",
    )
    return Backbone(network, dtype=dtype, device=device)


def drawn_crops(clips: list[Path], *, margin: float = 0.1, most: int = 4) -> dict[Path, Crops]:
    """Up to ``most`` boxes in two of three frames of each clip of 48 x 64 pixels, some beyond its edges."""
    found = {}
    for number, clip in enumerate(clips):
        rng = np.random.default_rng(number)
        with open_video(clip) as video:
            frames = [frame.index for frame in video if frame.index % 3]
        boxes: dict[int, list[list[float]]] = {}
        for frame in frames or [0]:
            low = rng.uniform([-8, -8], [50, 36], (int(rng.integers(1, most + 1)), 2))
            boxes[frame] = np.concatenate([low, low + rng.uniform(4, 30, low.shape)], 1).tolist()
        found[clip] = Crops(boxes, margin)
    return found


def make_clips(folder: Path, count: int, *, frames: tuple[int, int] = (3, 30)) -> list[Path]:
    """Clips of different lengths, all different."""
    lengths = np.random.default_rng(0).integers(*frames, size=count)
    clips = [folder / f"clip{i:02d}.mp4" for i in range(count)]
    for i, clip in enumerate(clips):
        write_video(clip, frames=int(lengths[i]), height=48, width=64, fps=10, seed=i)
    return clips


def extract(clips: list[Path], root: Path, **options: Any) -> ExtractionReport:
    """An extraction with the tiny backbone."""
    options.setdefault("workers", 2)
    backbone = options.pop("backbone", None) or tiny_backbone()
    margin = next((crops.margin for crops in options.get("crops", {}).values()), None)
    store = make_store(root, backbone, fps=FPS, crop_margin=margin)
    return extract_features(clips, store, backbone, **options)


def store_of(root: Path, **options: Any) -> FeatureStore:
    return make_store(root, tiny_backbone(**options), fps=FPS)


def files_of(root: Path) -> dict[str, bytes]:
    """Every features file of a store and its bytes."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.safetensors")}


def leftovers_of(root: Path) -> list[Path]:
    return list(root.rglob("*.part"))


def tensors_of(root: Path) -> dict[str, dict[str, np.ndarray]]:
    return {path.stem: load_file(path) for path in root.rglob("*.safetensors")}


def start(work: Any, *arguments: Any) -> BaseProcess:
    """Runs a function of this module in a process, and a process group, of its own."""
    process = PROCESSES.Process(target=_alone, args=(work, arguments))
    process.start()
    return process


def _alone(work: Any, arguments: tuple[Any, ...]) -> None:
    os.setsid()
    torch.set_num_threads(1)
    work(*arguments)


def extract_until_killed(
    clips: list[Path], root: Path, seed: int, whole_group: bool, crops: dict[Path, Crops] | None = None
) -> None:
    """Extracts, and is killed a random while after a random number of steps: at any point of the pipeline."""
    rng = random.Random(seed)
    steps, delay_seconds = rng.randrange(6), rng.uniform(0, 0.02)

    def kill() -> None:
        os.killpg(0, signal.SIGKILL) if whole_group else os.kill(os.getpid(), signal.SIGKILL)

    if steps == 0:  # before there is any progress: while the workers start
        threading.Timer(10 * delay_seconds, kill).start()

    def progress(report: ExtractionReport) -> None:
        nonlocal steps
        steps -= 1
        if steps == 0:
            threading.Timer(delay_seconds, kill).start()

    extract(clips, root, batch_size=8, progress=progress, **({"crops": crops} if crops else {}))


def extract_shuffled(clips: list[Path], root: Path, seed: int) -> None:
    random.Random(seed).shuffle(clips)
    report = extract(clips, root, batch_size=8)
    assert not report.failures
    assert set(report.hashes) == set(clips)


def extract_with_little_room(clips: list[Path], root: Path, answer: Path) -> None:
    """As on a disk that becomes full: soon no file may grow beyond 5000 bytes."""
    backbone = tiny_backbone()
    try:
        extract(
            clips,
            root,
            backbone=backbone,
            progress=lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
        )
    except StoreError as error:
        answer.write_text(str(error))


def extract_together(
    clips: list[Path], root: Path, *, killed: int | None = None, seen: list[tuple[int, int]] | None = None
) -> ExtractionReport:
    """Two processes, of which one may be killed in the middle; ``seen`` takes what is told of videos."""
    again = partial(extract_together, clips, root, killed=killed)
    with together(2, 1, "cpu", again) as (ranks, _):
        assert ranks is not None
        backbone = tiny_backbone()
        if ranks.rank == killed:
            forward, frames = backbone.parts[0]._forward, iter(range(4))
            backbone.parts[0]._forward = lambda x: forward(x) if next(frames, None) is not None else _die()

        def told(report: ExtractionReport, total: int) -> None:
            if seen is not None:
                seen.append((report.extracted + report.found, len(report.unreadable)))

        return fill_store(
            clips,
            make_store(root, backbone, fps=FPS),
            backbone,
            sampling=SamplingSettings(fps=FPS, workers=1),
            batch_size=8,
            ranks=ranks,
            progress=Progress(extraction=told),
        )


def _die() -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def built(device: str) -> Backbone:
    """The tiny backbone, as an engine asks for it on another machine."""
    return tiny_backbone()


def built_slow(device: str) -> Backbone:
    """One that takes long enough to be killed at work."""
    backbone = tiny_backbone()
    forward = backbone.parts[0]._forward

    def slow(frames: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        return forward(frames)

    backbone.parts[0]._forward = slow
    return backbone
