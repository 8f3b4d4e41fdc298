"""What a frame costs, stage by stage, and how many a second the machine could do at most.

The limit is every core busy with nothing but the stages that run on it, and the device with nothing but its
own: ``min(cores / CPU-seconds a frame, 1 / seconds a frame on the device)``. CPU-seconds, not wall time, so
that it holds on a machine that does something else beside.
"""

from __future__ import annotations

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.cpu import available_cores
from vidlstm.errors import VideoError
from vidlstm.features.lanes import Lanes
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler
from vidlstm.video.views import with_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy as np

    from vidlstm.backbones.base import Backbone


@dataclass
class Spent:
    """Wall and CPU seconds, those of child processes included, and frames."""

    wall: float = 0.0
    cpu: float = 0.0
    frames: int = 0

    def add(self, work: Callable[[], int]) -> None:
        """Runs something that returns its number of frames, and notes what it took."""
        wall, cpu = time.monotonic(), cpu_seconds()
        self.frames += work()
        self.wall += time.monotonic() - wall
        self.cpu += cpu_seconds() - cpu

    @property
    def cpu_ms(self) -> float:
        """CPU-milliseconds a frame."""
        return 1000 * self.cpu / max(1, self.frames)

    @property
    def wall_ms(self) -> float:
        """Milliseconds a frame."""
        return 1000 * self.wall / max(1, self.frames)

    @property
    def frames_per_second(self) -> float:
        """As it was, on all cores."""
        return self.frames / max(self.wall, 1e-9)


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def limit_of(stages: Iterable[Spent], on_device: Iterable[Spent] = ()) -> float:
    """Frames a second with every core and the device busy, and nothing between the stages.

    Args:
        stages: all of them, by what they take of the cores.
        on_device: those of them that a GPU does, one after the other.
    """
    cores = available_cores() / max(sum(spent.cpu_ms for spent in stages), 1e-9)
    device = 1 / max(sum(spent.wall_ms for spent in on_device), 1e-9)
    return 1000 * min(cores, device)


def decoded(
    videos: Sequence[Path],
    backbone: Backbone,
    *,
    fps: float,
    decoder: Any = "auto",
    most: int | None = None,
    image_fps: float = 25.0,
    failures: list[VideoError] | None = None,
) -> dict[Path, list[tuple[int, np.ndarray]]]:
    """What the backbone is shown of each video, each picture with its frame's index; one video a core.

    Args:
        videos: files and folders of images.
        backbone: says how large frames are.
        fps: how many a second are taken.
        decoder, image_fps: see ``SamplingSettings``.
        most: of each video; None is all.
        failures: takes the errors of videos that cannot be read.

    Raises:
        VideoError: one cannot be read, and there is no list for it.
    """

    def one(video: Path) -> list[tuple[int, np.ndarray]]:
        wanted = SteadySampler(fps)
        try:
            with open_video(
                video, decoder=decoder, size=backbone.size, wanted=wanted, image_fps=image_fps
            ) as reader:
                shown = with_views(reader, backbone.views)
                return [(frame.index, image) for frame, image in islice(shown, most)]
        except VideoError as error:
            if failures is None:
                raise
            failures.append(error)
            return []

    with ThreadPoolExecutor(available_cores()) as pool:
        return dict(zip(videos, pool.map(one, videos), strict=True))


def run_backbone(backbone: Backbone, frames: np.ndarray, batch_size: int) -> int:
    """Runs frames ``(N, H, W, C)`` in whole batches, one thread a core; returns how many they were."""
    with closing(Lanes(backbone, batch_size)) as lanes:
        batches = (frames[i : i + batch_size] for i in range(0, len(frames), batch_size))
        for future in [lanes.submit([batch], len(batch)) for batch in batches]:
            future.result()
    return len(frames)
