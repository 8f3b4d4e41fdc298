"""Memory does not grow with the length of a video."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from torch import nn

from tests.fakes.videos import write_video
from tests.features import tiny
from vidlstm.backbones.base import Backbone, Network
from vidlstm.backbones.weights import hash_parameters
from vidlstm.structures import FrameSize

SHORT_FRAMES, LONG_FRAMES = 200, 1200
SIDE, WIDTH = 192, 1 << 16
FRAME_BYTES, FEATURE_BYTES = SIDE * SIDE * 3, WIDTH * 2


def extract_bulky(clip: Path, root: Path) -> None:
    """So many bytes to a frame, and to a feature, that keeping them would show; little to compute."""
    module = nn.Sequential(
        nn.Conv2d(3, 16, 8, stride=8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, WIDTH)
    )
    network = Network(
        name="bulky",
        module=module,
        size=FrameSize(SIDE, SIDE),
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.25),
        weights_sha256=f"random:{hash_parameters(module)}",
        weights_source="random",
    )
    report = tiny.extract([clip], root, backbone=Backbone(network, dtype="float32"), batch_size=16, workers=1)
    assert report.features in (SHORT_FRAMES, LONG_FRAMES)


def peak_bytes(clip: Path, root: Path) -> int:
    """The most memory that an extraction and its decode process had each to itself.

    What they share is not counted: mapped libraries, and all of a process in the moment that it forks.
    """
    process = tiny.start(extract_bulky, clip, root)
    family, peak = psutil.Process(process.pid), 0
    while process.is_alive():
        try:
            members = [family, *family.children(recursive=True)]
            peak = max(peak, sum(member.memory_full_info().uss for member in members))
        except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended meanwhile
            continue
        process.join(0.01)
    assert process.exitcode == 0
    return peak


@pytest.mark.skipif(not psutil.LINUX, reason="reads /proc")
def test_six_times_the_video_takes_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for frames in (SHORT_FRAMES, LONG_FRAMES):
        clip = tmp_path / f"{frames}.mp4"
        write_video(clip, frames=frames, height=48, width=64, fps=10)
        peaks.append(peak_bytes(clip, tmp_path / "store"))
    assert len(tiny.files_of(tmp_path / "store")) == 2
    growth = (peaks[1] - peaks[0]) / (LONG_FRAMES - SHORT_FRAMES)
    assert growth < min(FRAME_BYTES, FEATURE_BYTES) / 2, f"of {peaks}: frames or features are kept"
