"""How many cameras one machine watches, against what it could extract at most, and how old its answers are.

    python scripts/benchmark_live.py --videos DIR --weights FILE --json FILE

In one run: what decoding and the backbone cost per looked-at frame (CPU-seconds; the limit is
``cores / (decode + backbone)``, every core busy with nothing but these two); how fast videos go through
``watch`` when nothing is dropped (``frames_per_second``, ``ratio_to_extraction_limit``); the age of answers
when so many videos play at their own pace that they are 80 % of that limit (``age_p50_ms``, ``age_p99_ms``,
``dropped_share``); and what memory grows by over ``--frames`` frames (``rss_growth_mb``). The recurrent
network is causal and was not trained: what it says takes as long.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch
from benchmark_extraction import Spent, decode, run_backbone

from vidlstm.backbones.base import Backbone
from vidlstm.backbones.build import build_backbone
from vidlstm.backbones.cpu import available_cores
from vidlstm.datasets.videos import find_videos
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.settings import BackboneSettings
from vidlstm.verbs.load import load
from vidlstm.verbs.save_card import save_card
from vidlstm.verbs.watch import watch

if TYPE_CHECKING:
    from vidlstm.tasks.predictor import Predictor

FPS = 10.0
LOAD = 0.8
"""The share of the limit at which ages are measured."""


def untrained(backbone: Backbone, folder: Path) -> Predictor:
    """A two-layer causal LSTM over the backbone."""
    network = SequenceClassifier(backbone.feature_dim, 5, bidirectional=False, pooling="last").eval()
    path = folder / "causal.ckpt"
    save_card(path, network, labels=list("abcde"), backbone=backbone, window_seconds=2.0)
    return load(path, backbone=backbone)


def limit(videos: list[Path], backbone: Backbone) -> dict[str, float]:
    """Frames per second with all cores busy on decoding and the backbone alone, and what each costs."""
    decoding, running = Spent(), Spent()
    frames: list[np.ndarray] = []

    def decode_all() -> int:
        frames.extend(image for clip in decode(videos, backbone).values() for _, image in clip)
        return len(frames)

    decoding.add(decode_all)
    running.add(lambda: run_backbone(backbone, np.stack(frames), 32))
    costs = decoding.cpu / decoding.frames, running.cpu / running.frames
    return {
        "decode_cpu_ms": 1000 * costs[0],
        "backbone_cpu_ms": 1000 * costs[1],
        "limit_frames_per_second": available_cores() / sum(costs),
    }


def throughput(model: Predictor, videos: list[Path], sources: int) -> Spent:
    """As fast as they go, nothing dropped."""
    spent = Spent()
    names = list(itertools.islice(itertools.cycle(videos), sources))

    def go() -> int:
        report = watch(model, names, on_event=lambda event: None, settings={"pace": "fast", "drop": "none"})
        return sum(source.steps for source in report.sources)

    spent.add(go)
    return spent


def ages(model: Predictor, videos: list[Path], sources: int, seconds: float) -> dict[str, Any]:
    """At the pace of cameras; what does not keep up is dropped."""
    names = list(itertools.islice(itertools.cycle(videos), sources))
    report = watch(
        model, names, on_event=lambda event: None, settings={"pace": "real", "seconds": seconds}
    ).sources
    steps, dropped = sum(s.steps for s in report), sum(s.dropped_frames for s in report)
    known = [(s.age_p50_seconds, s.age_p99_seconds) for s in report if s.age_p50_seconds is not None]
    return {
        "streams": sources,
        "steps_per_second": steps / seconds,
        "dropped_share": dropped / max(1, steps + dropped),
        "age_p50_ms": 1000 * float(np.median([p50 for p50, _ in known])),
        "age_p99_ms": 1000 * max(p99 for _, p99 in known if p99 is not None),
    }


def growth(model: Predictor, videos: list[Path], sources: int, frames: int) -> dict[str, float]:
    """Memory after the first tenth of many frames and after all of them, MB."""
    sizes: list[float] = []
    done = 0
    while done < frames:
        done += throughput(model, videos, sources).frames
        sizes.append(psutil.Process().memory_info().rss / 2**20)
    return {"rss_frames": done, "rss_growth_mb": sizes[-1] - sizes[min(len(sizes) - 1, len(sizes) // 10)]}


def main() -> None:
    """Measures, prints, and writes JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--sources", type=int, default=8, help="of the measured throughput")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the measured ages")
    parser.add_argument("--frames", type=int, default=36_000, help="of the measured memory; 0 leaves it out")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    torch.manual_seed(0)
    settings = BackboneSettings(name=options.backbone, weights=options.weights)
    backbone, videos = build_backbone(settings), find_videos([options.videos])
    with tempfile.TemporaryDirectory() as folder:
        model = untrained(backbone, Path(folder))
        most = limit(videos, backbone)
        rate = most["limit_frames_per_second"]
        fast = throughput(model, videos, options.sources)
        found: dict[str, Any] = {
            **most,
            "frames_per_second": fast.frames / fast.wall,
            "ratio_to_extraction_limit": fast.frames / fast.wall / rate,
            "cpu_ratio_to_extraction_limit": available_cores() * fast.frames / fast.cpu / rate,
            **ages(model, videos, max(1, int(LOAD * rate / FPS)), options.seconds),
        }
        if options.frames:
            found.update(growth(model, videos, options.sources, options.frames))
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
