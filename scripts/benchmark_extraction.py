"""How fast frames become features, against what the machine could do at most and against the usual loop.

    python scripts/benchmark_extraction.py --root DIR --weights FILE --json FILE

Five things are timed in turn on one share of the clips after the other, so that whatever else the machine
does meets all of them alike: decoding alone and the backbone alone (each on all cores, one thread a core),
the pipeline, the pipeline with a backbone that costs nothing, and the loop that people write: OpenCV reads
every frame, PIL resizes, float32, one clip at a time.

The limit is ``cores / (decode + backbone CPU-seconds per frame)``: every core busy with nothing but these
two. ``ratio_to_limit`` and ``ratio_to_naive`` compare wall times and mean something on a quiet machine;
``cpu_ratio_to_limit`` and ``cpu_ratio_to_naive`` compare CPU-seconds, child processes included, and hold on
a busy one as well. ``overhead_ratio`` is what this process takes of what decoding does, in CPU-seconds, where
the backbone costs nothing: frames are handed on, features filed.

``--sizes 1 2 4 8`` runs the pipeline alone on so many eighths of the clips, first with an empty store, then
with one that has everything, and says how far from a straight line the seconds are.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from PIL import Image

from vidlstm.backbones.base import USUAL_BATCH, Backbone, best_dtype
from vidlstm.backbones.build import build_network
from vidlstm.backbones.cpu import available_cores
from vidlstm.backbones.parts import Part
from vidlstm.datasets.videos import find_videos
from vidlstm.features.costs import Spent, decoded, limit_of, run_backbone
from vidlstm.features.extract import extract_features, make_store
from vidlstm.settings import BackboneSettings

if TYPE_CHECKING:
    from vidlstm.backbones.network import Network

FPS = 10.0


def run_pipeline(clips: list[Path], backbone: Backbone, batch_size: int) -> int:
    """The extraction, into a store that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        return extract_into(Path(folder), clips, backbone, batch_size)


def extract_into(folder: Path, clips: list[Path], backbone: Backbone, batch_size: int) -> int:
    """The extraction of what a store does not hold yet; the number of frames."""
    store = make_store(folder, backbone, fps=FPS)
    return extract_features(clips, store, backbone, batch_size=batch_size).features


class FreeBackbone(Backbone):
    """The same frames and as many features, all zero, at no cost."""

    def _features(self, frames_BHWC: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(frames_BHWC), self.feature_dim)


def run_naive(network: Network, wanted: dict[Path, list[int]]) -> int:
    """The usual loop, on the same frames."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (network.mean, network.std))
    for clip, indices in wanted.items():
        images, video, index = [], cv2.VideoCapture(str(clip)), 0
        while True:
            good, image = video.read()
            if not good:
                break
            if index in indices:
                picture = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
                pixels = np.array(picture.resize((network.size.width, network.size.height)))
                images.append((torch.from_numpy(pixels).permute(2, 0, 1).float() / 255 - mean) / std)
            index += 1
        video.release()
        if images:
            with torch.no_grad():
                network.module(torch.stack(images))
    return sum(len(indices) for indices in wanted.values())


def own_cpu_seconds() -> float:
    """Of this process, without its children."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(
    shares: list[list[Path]], network: Network, backbone: Backbone, batch_size: int, naive: bool
) -> tuple[dict[str, Spent], float]:
    """Times the five on one share of the clips after the other.

    Returns:
        What each took, and the CPU-seconds of this process with a backbone that costs nothing.
    """
    names = ["decode", "backbone", "pipeline", "free", *(["naive"] if naive else [])]
    spent, own = {name: Spent() for name in names}, 0.0
    free = FreeBackbone(network, dtype="float32")
    for share in shares:
        images_of: dict[Path, list[tuple[int, np.ndarray]]] = {}

        def decode_share(share: list[Path] = share, images_of: dict = images_of) -> int:
            images_of.update(decoded(share, backbone, fps=FPS))
            return sum(map(len, images_of.values()))

        spent["decode"].add(decode_share)
        frames = np.stack([image for clip in images_of.values() for _, image in clip])
        wanted = {clip: [index for index, _ in images] for clip, images in images_of.items()}
        spent["backbone"].add(lambda frames=frames: run_backbone(backbone, frames, batch_size))
        del frames, images_of, decode_share
        spent["pipeline"].add(lambda share=share: run_pipeline(share, backbone, batch_size))
        before = own_cpu_seconds()
        spent["free"].add(lambda share=share: run_pipeline(share, free, batch_size))
        own += own_cpu_seconds() - before
        if naive:
            spent["naive"].add(lambda wanted=wanted: run_naive(network, wanted))
        print(".", end="", flush=True)
    print()
    return spent, own


def summarise(spent: dict[str, Spent], own: float, cores: int) -> dict[str, float]:
    """The figures of the report."""
    cpu = {name: s.cpu / s.frames for name, s in spent.items()}
    wall = {name: s.wall / s.frames for name, s in spent.items()}
    limit = limit_of([spent["decode"], spent["backbone"]])
    figures = {
        "end_to_end_fps": 1 / wall["pipeline"],
        "decode_fps": cores / cpu["decode"],
        "backbone_fps": cores / cpu["backbone"],
        "limit_fps": limit,
        "ratio_to_limit": 1 / wall["pipeline"] / limit,
        "cpu_ratio_to_limit": (cpu["decode"] + cpu["backbone"]) / cpu["pipeline"],
        "overhead_ratio": own / spent["free"].frames / cpu["decode"],
    }
    if "naive" in spent:
        figures |= {
            "naive_fps": 1 / wall["naive"],
            "ratio_to_naive": wall["naive"] / wall["pipeline"],
            "cpu_ratio_to_naive": cpu["naive"] / cpu["pipeline"],
        }
    return figures | {
        **{f"{name}_cpu_ms_per_frame": 1000 * value for name, value in cpu.items()},
        "cores": cores,
        "frames": spent["pipeline"].frames,
    }


def straightness(
    clips: list[Path], backbone: Backbone, batch_size: int, sizes: list[int]
) -> dict[str, float]:
    """Times so many eighths of the clips each, with an empty store and with one that has them all.

    Lines are fitted to CPU-seconds, child processes included: by frame, and where all is there, by clip.
    """
    runs: dict[str, list[tuple[int, Spent]]] = {"extraction": [], "all_there": []}
    for size in sizes:
        some = [clip for i, clip in enumerate(clips) if i % 8 < size]
        with tempfile.TemporaryDirectory() as folder:
            for name, found in runs.items():
                spent = Spent()
                spent.add(partial(extract_into, Path(folder), some, backbone, batch_size))
                found.append((spent.frames or len(some), spent))
                print(f"{len(some)} clips, {name}: {spent.wall:.2f} s, {spent.cpu:.2f} CPU-s", flush=True)
    figures: dict[str, float] = {}
    for name, found in runs.items():
        counts, seconds = [count for count, _ in found], [spent.cpu for _, spent in found]
        line = np.polyfit(counts, seconds, 1)
        off = np.abs(np.polyval(line, counts) - seconds).max() / max(seconds)
        figures |= {
            f"{name}_cpu_ms_each": 1000 * line[0],
            f"{name}_start_cpu_seconds": line[1],
            f"{name}_furthest_from_line": float(off),
        }
    return figures


def main() -> None:
    """Parses, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--weights", help="the backbone's weights file, or 'random'")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--name", default="mobilenet_v2", help="the backbone")
    parser.add_argument("--clips", type=int, default=0, help="use only so many, spread over the folder")
    parser.add_argument("--shares", type=int, default=3, help="how many times to go round")
    parser.add_argument("--batch-size", type=int, default=USUAL_BATCH)
    parser.add_argument(
        "--no-naive", action="store_true", help="leave the usual loop out, which takes longest"
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", help="eighths of the clips, to see whether time grows with them"
    )
    given = parser.parse_args()
    clips = find_videos([given.root])
    clips = clips[:: max(1, len(clips) // given.clips)][: given.clips] if given.clips else clips
    network = build_network(Part(given.name, weights=given.weights), BackboneSettings())
    backbone = Backbone(network, dtype=best_dtype(torch.device("cpu")))
    if given.sizes:
        figures = straightness(clips, backbone, given.batch_size, given.sizes)
    else:
        shares = [clips[i :: given.shares] for i in range(given.shares)]
        spent, own = measure(shares, network, backbone, given.batch_size, not given.no_naive)
        figures = summarise(spent, own, available_cores())
    for name, value in figures.items():
        print(f"{name:26} {value:10.3f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
