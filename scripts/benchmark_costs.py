"""What an hour of video costs by resolution, and whether that says what an extraction will take.

    python scripts/benchmark_costs.py --videos DIR --weights FILE --json FILE

Real videos are read one after another and written anew as H.264 in four sizes, ``--count`` of each, 25 frames
a second (without ``--videos`` a texture that drifts). Measured are, by CPU-seconds: decoding each size, the
backbone, the reading of a header, which every shard does with all videos, and the bytes of features. It is
measured as ``vidlstm bench`` does: the ``cpu_ms`` of that times 36 are the seconds of CPU an hour of video of
yours at ten frames a second.

Then the model is asked what extractions of 1/4, 1/2 and all of these videos take, and they are run. A ratio
near 1 says that costs add up; what is above it are start-up and what lies between the stages.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vidlstm.backbones.build import build_backbone
from vidlstm.backbones.cpu import available_cores
from vidlstm.datasets.videos import find_videos
from vidlstm.features.costs import Spent, cpu_seconds, decoded, run_backbone
from vidlstm.features.extract import extract_features, make_store
from vidlstm.features.shards import shards_of
from vidlstm.settings import BackboneSettings
from vidlstm.video.reader import open_video
from vidlstm.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
FPS, TAKEN = 25, 10.0
HOUR = 3600


def pictures(videos: Path | None) -> Iterator[np.ndarray]:
    """Frames of all videos one after another, the largest first; or a texture that drifts."""
    if videos is None:
        texture = np.random.default_rng(0).integers(0, 256, (135, 240, 3), np.uint8)
        large = cv2.resize(texture, (1920, 1080), interpolation=cv2.INTER_CUBIC)
        for frame in range(1_000_000):
            yield np.roll(large, (3 * frame, 5 * frame), (0, 1))
    found = sorted(find_videos([videos]), key=lambda path: -path.stat().st_size)
    while True:
        for path in found:
            with open_video(path) as reader:
                yield from (frame.image for frame in reader)


def write(folder: Path, videos: Path | None, count: int, seconds: int) -> dict[str, list[Path]]:
    """So many videos of each size, of the same pictures."""
    written: dict[str, list[Path]] = {f"{width}x{height}": [] for width, height in SIZES}
    source = pictures(videos)
    for number in range(count):
        shown = list(islice(source, FPS * seconds))
        for (width, height), paths in zip(SIZES, written.values(), strict=True):
            paths.append(folder / f"{width}x{height}" / f"{number}.mp4")
            with VideoWriter(paths[-1], fps=FPS, height=height, width=width) as writer:
                for image in shown:
                    writer.write(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    return written


def measure(videos: dict[str, list[Path]], backbone: Any, seconds: int) -> dict[str, Any]:
    """CPU-seconds an hour of video of each stage, and bytes."""
    decode, images = {}, list[np.ndarray]()
    for size, paths in videos.items():
        spent = Spent()

        def all_of_them(paths: list[Path] = paths) -> int:
            shown = decoded(paths, backbone, fps=TAKEN)
            images[:] = [image for pictures in shown.values() for _, image in pictures]
            return len(images)

        spent.add(all_of_them)
        decode[size] = spent.cpu * HOUR / (seconds * len(paths))
    every = [path for paths in videos.values() for path in paths]
    headers = Spent()
    headers.add(lambda: sum(map(len, shards_of(every, 1, image_fps=TAKEN))))
    stacked, running = np.stack(images), Spent()
    run_backbone(backbone, stacked[:32], 32)  # the first batch is slower
    running.add(lambda: run_backbone(backbone, stacked, 32))
    return {
        "decode_cpu_seconds_an_hour": decode,
        "backbone_cpu_seconds_an_hour": running.cpu / running.frames * HOUR * TAKEN,
        "header_cpu_ms_a_video": headers.cpu_ms,
        "bytes_an_hour": HOUR * TAKEN * (2 * backbone.feature_dim + 8),
    }


def check(
    videos: dict[str, list[Path]], backbone: Any, seconds: int, costs: dict[str, Any], folder: Path
) -> list[dict[str, float]]:
    """What the model says of three extractions, and what they took."""
    rows = []
    for share in (4, 2, 1):
        some = {size: paths[: max(1, len(paths) // share)] for size, paths in videos.items()}
        hours = {size: seconds * len(paths) / HOUR for size, paths in some.items()}
        each = costs["decode_cpu_seconds_an_hour"]
        said = sum(hours[size] * (each[size] + costs["backbone_cpu_seconds_an_hour"]) for size in some)
        store = make_store(folder / str(share), backbone, fps=TAKEN)
        before = cpu_seconds()
        done = extract_features([path for paths in some.values() for path in paths], store, backbone)
        took = cpu_seconds() - before
        files = [path.stat().st_size for path in store.folder.rglob("*.safetensors")]
        rows.append(
            {
                "minutes_of_video": 60 * sum(hours.values()),
                "videos": len(files),
                "predicted_cpu_seconds": said,
                "measured_cpu_seconds": took,
                "ratio": took / said,
                "predicted_bytes": sum(hours.values()) * costs["bytes_an_hour"],
                "measured_bytes": sum(files),
                "wall_seconds": done.seconds,
            }
        )
    return rows


def main() -> None:
    """Parses, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--videos", type=Path, help="a folder of real ones, whose pictures are taken")
    parser.add_argument("--weights", default="random", help="of the backbone")
    parser.add_argument("--name", default="mobilenet_v2", help="the backbone")
    parser.add_argument("--count", type=int, default=4, help="videos of each size")
    parser.add_argument("--seconds", type=int, default=10, help="of each video")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    backbone = build_backbone(BackboneSettings(name=given.name, weights=given.weights), device="cpu")
    with tempfile.TemporaryDirectory() as name:
        videos = write(Path(name), given.videos, given.count, given.seconds)
        costs = measure(videos, backbone, given.seconds)
        costs["checked"] = check(videos, backbone, given.seconds, costs, Path(name) / "stores")
    costs |= {"cores": available_cores(), "backbone": given.name, "dtype": str(backbone.dtype)}
    print(json.dumps(costs, indent=1))
    if given.json:
        given.json.write_text(json.dumps(costs, indent=1) + "\n")


if __name__ == "__main__":
    main()
