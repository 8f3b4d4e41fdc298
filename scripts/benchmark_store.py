"""How long a store of many videos takes to open: each stage at 1/8, 1/4, 1/2 and all of them.

    python scripts/benchmark_store.py --files 100000 --json FILE

Makes as many files of a hundred bytes, and of each its features of one step, in a folder that is gone
afterwards; nothing is decoded. A straight line is a column whose microseconds a file stay alike. Timed are:

    list      the reading of a folder dataset
    look up   what every process of a training but the first does: hashing all files, finding their features
    extract   an extraction that finds everything there
    open      the store opened, and how many steps each video has: what there is to know before reading
    read      the same, and all features to one table, each file's checksum checked, as a training begins
    bytes     for comparison, the files of the store opened and read, and nothing else

``CPU`` are the seconds of this process and its decoders; on a busy machine they, and the ratio to ``bytes``,
say more than the wall clock.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import numpy as np
from torch import nn

from vidlstm.backbones.base import Backbone
from vidlstm.backbones.network import Network
from vidlstm.datamodules.feature_table import FeatureTable
from vidlstm.datasets.folder import load_folder
from vidlstm.features.costs import cpu_seconds
from vidlstm.features.extract import extract_features, look_up, make_store
from vidlstm.features.features_file import header_of
from vidlstm.features.store import FeatureStore
from vidlstm.structures import FrameSize

WIDTH, STEPS, CLASSES = 8, 1, 10


def nothing() -> Backbone:
    """A backbone that is never run."""
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, WIDTH))
    return Backbone(
        Network(
            name="nothing",
            module=module,
            size=FrameSize(8, 8),
            mean=(0.5, 0.5, 0.5),
            std=(0.2, 0.2, 0.2),
            weights_sha256="random:nothing",
            weights_source="random",
        ),
        dtype="float32",
    )


def make(folder: Path, store: FeatureStore, count: int) -> None:
    """Files of one folder a class, and the features of each."""
    data = np.ones((STEPS, WIDTH), "<f2").tobytes() + np.arange(STEPS, dtype="<f8").tobytes()
    for i in range(count):
        video = folder / f"class{i % CLASSES}" / f"{i:07d}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        video.write_bytes(f"{i:0100d}".encode())
        path = store.path_of(hashlib.sha256(video.read_bytes()).hexdigest())
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"spec": store.spec.canonical, "video": path.stem, "truncated": ""}
        path.write_bytes(header_of(STEPS, WIDTH, metadata, crc32(data)) + data)


def open_store(store: FeatureStore, hashes: Iterable[str]) -> int:
    """All steps of a store that another process has filled."""
    there = FeatureStore(store.root, store.spec)
    return sum(map(there.length, hashes))


def measure(folder: Path, store: FeatureStore, backbone: Backbone) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each stage."""
    took: dict[str, tuple[float, float]] = {}

    def timed(name: str, work: object) -> object:
        wall, cpu = time.monotonic(), cpu_seconds()
        done = work()  # type: ignore[operator]
        took[name] = time.monotonic() - wall, cpu_seconds() - cpu
        return done

    videos = [record.path for record in timed("list", lambda: load_folder(folder)).records]  # type: ignore[attr-defined]
    report = timed("look up", lambda: look_up(videos, store))
    assert report.found == len(videos)  # type: ignore[attr-defined]
    done = timed("extract", lambda: extract_features(videos, store, backbone))
    assert done.found == len(videos)  # type: ignore[attr-defined]
    timed("open", lambda: open_store(store, report.hashes.values()))  # type: ignore[attr-defined]
    timed("read", lambda: FeatureTable(store, report.hashes.values()))  # type: ignore[attr-defined]
    files = [store.path_of(video_hash) for video_hash in report.hashes.values()]  # type: ignore[attr-defined]
    timed("bytes", lambda: [file.read_bytes() for file in files])
    return took


def main() -> None:
    """Parses, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="how many at most")
    parser.add_argument("--once", action="store_true", help="all of them alone, without 1/8, 1/4 and 1/2")
    parser.add_argument("--folder", type=Path, help="where they are made; the system's folder otherwise")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    backbone, rows = nothing(), []
    print(f"{'files':>8} {'stage':10} {'wall s':>8} {'CPU s':>8} {'CPU µs a file':>14}")
    for count in (given.files // parts for parts in ((1,) if given.once else (8, 4, 2, 1))):
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name)
            store = make_store(folder / "store", backbone, fps=10.0)
            make(folder / "videos", store, count)
            for stage, (wall, cpu) in measure(folder / "videos", store, backbone).items():
                rows.append({"files": count, "stage": stage, "wall_seconds": wall, "cpu_seconds": cpu})
                print(f"{count:8} {stage:10} {wall:8.2f} {cpu:8.2f} {1e6 * cpu / count:14.1f}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
