"""How much memory an extraction takes for a short and for a long video.

    python scripts/benchmark_memory.py --weights FILE --json FILE

Draws two 720p videos, a minute and an hour long, extracts each with ``vidlstm extract`` in a process of its
own, and samples the memory of that process and its decode processes together. They are drawn at 5 frames a
second, to be drawn soon; the extraction samples at 10, so that each of their frames becomes a feature.

The peaks are sums over these processes. ``anonymous`` is the resident memory that they allocated, each for
itself; ``ratio`` is that of it. ``rss`` counts the files they map as well, which are torch's libraries first
of all: the same for both videos, shared with whatever else on the machine uses torch, and here counted once a
process. Linux only. Needs psutil, which the ``[test]`` extra brings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

SAMPLE_SECONDS = 0.02
KINDS = ("anonymous", "rss")


def draw_video(path: Path, seconds: float, *, height: int = 720, width: int = 1280, fps: int = 5) -> None:
    """A video of coloured noise that scrolls; the same few pictures again and again, so that it is quick."""
    coarse = np.random.default_rng(0).integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
    noise = np.kron(coarse, np.ones((20, 20, 1), np.uint8))
    scrolled = (np.roll(noise, 40 * step, axis=1).copy() for step in range(8))
    pictures = [
        av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p") for image in scrolled
    ]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for index in range(round(seconds * fps)):
            picture = pictures[index % len(pictures)]
            picture.pts, picture.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def peak_bytes(command: list[str]) -> dict[str, int]:
    """Runs a command and samples the memory of its process and all under it."""
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    peak = dict.fromkeys(KINDS, 0)
    while process.poll() is None:
        for kind, size in family_bytes(process).items():
            peak[kind] = max(peak[kind], size)
        time.sleep(SAMPLE_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return peak


def family_bytes(process: psutil.Process) -> dict[str, int]:
    """The memory of a process and its children now."""
    total = dict.fromkeys(KINDS, 0)
    try:
        for member in (process, *process.children(recursive=True)):
            memory = member.memory_info()
            total["rss"] += memory.rss
            total["anonymous"] += memory.rss - memory.shared
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended meanwhile; the next sample will do
        return {}
    return total


def main() -> None:
    """Parses, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", required=True, help="the backbone's weights file, or 'random'")
    parser.add_argument("--name", default="mobilenet_v2", help="the backbone")
    parser.add_argument("--short", type=float, default=60, help="seconds of the short video")
    parser.add_argument("--long", type=float, default=3600, help="seconds of the long one")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("short", "long"):
            video = Path(folder) / f"{name}.mp4"
            draw_video(video, getattr(given, name))
            flags = ["--backbone.name", given.name, "--backbone.weights", given.weights]
            command = [sys.executable, "-m", "vidlstm", "extract", str(video), *flags]
            peak = peak_bytes([*command, "--store", f"{folder}/{name}"])
            figures[f"{name}_seconds"] = getattr(given, name)
            figures |= {f"{name}_peak_{kind}_mb": size / 1e6 for kind, size in peak.items()}
    figures["ratio"] = figures["long_peak_anonymous_mb"] / figures["short_peak_anonymous_mb"]
    figures["rss_ratio"] = figures["long_peak_rss_mb"] / figures["short_peak_rss_mb"]
    for name, value in figures.items():
        print(f"{name:24} {value:10.3f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
