"""How many cameras one machine watches, against what it could extract at most, and how old its answers are.

    python scripts/benchmark_live.py --videos DIR --weights FILE --json FILE

In one run: ``vidlstm bench`` with a causal recurrent network that was not trained (what it says takes as
long), its ``frames_per_second`` as ``ratio_to_extraction_limit``, which is every core busy with decoding and
the backbone alone; the ages of answers at 80 % of it; and what memory grows by over ``--frames`` frames
(``rss_growth_mb``; an hour of one camera at 10 frames a second is 36,000).
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import psutil
import torch

from vidlstm.backbones.base import Backbone
from vidlstm.backbones.build import build_backbone
from vidlstm.backbones.cpu import available_cores
from vidlstm.datasets.videos import find_videos
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.settings import BackboneSettings
from vidlstm.verbs.bench import bench
from vidlstm.verbs.load import load
from vidlstm.verbs.save_card import save_card
from vidlstm.verbs.watch import watch

if TYPE_CHECKING:
    from vidlstm.tasks.predictor import Predictor


def untrained(backbone: Backbone, folder: Path) -> Predictor:
    """A two-layer causal LSTM over the backbone."""
    network = SequenceClassifier(backbone.feature_dim, 5, bidirectional=False, pooling="last").eval()
    path = folder / "causal.ckpt"
    save_card(path, network, labels=list("abcde"), backbone=backbone, window_seconds=2.0)
    return load(path, backbone=backbone)


def join(videos: list[Path], seconds: float, path: Path) -> None:
    """One film of several of one codec and size, in turn and again, until it is long enough."""
    begins = Fraction(0)
    with av.open(str(path), "w", format="matroska") as film:
        shown = None
        for video in itertools.cycle(videos):
            if begins >= seconds:
                return
            with av.open(str(video)) as container:
                stream = container.streams.video[0]
                shown = shown or film.add_stream_from_template(stream)
                ends = begins
                for packet in container.demux(stream):
                    if packet.dts is None:
                        continue
                    ends = max(ends, begins + (packet.pts + (packet.duration or 0)) * packet.time_base)
                    ticks = round(begins / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts + ticks, packet.dts + ticks, shown
                    film.mux(packet)
            begins = ends


def growth(model: Predictor, film: Path) -> dict[str, float]:
    """What memory grows by while one film is watched, MB: from a tenth of its steps to the last."""
    sizes: list[float] = []
    steps = itertools.count(1)

    def note(event: dict[str, Any]) -> None:
        if event["event"] == "step" and (step := next(steps)) % 1000 == 0:
            sizes.append(psutil.Process().memory_info().rss / 2**20)
            print(f"{step} frames, {sizes[-1]:.0f} MB", flush=True)

    report = watch(model, film, on_event=note, settings={"drop": "none", "steps": True})
    frames = sum(source.frames for source in report.sources)
    return {"rss_frames": frames, "rss_mb": sizes[-1], "rss_growth_mb": sizes[-1] - sizes[len(sizes) // 10]}


def main() -> None:
    """Measures, prints, and writes JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each stage")
    parser.add_argument("--frames", type=int, default=36_000, help="of the measured memory; 0 leaves it out")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    torch.manual_seed(0)
    settings = BackboneSettings(name=options.backbone, weights=options.weights)
    backbone, videos = build_backbone(settings), find_videos([options.videos])
    with tempfile.TemporaryDirectory() as folder:
        model = untrained(backbone, Path(folder))
        report = bench(videos, checkpoint=model, seconds=options.seconds, step=print)
        found: dict[str, Any] = report.figures
        cost = sum(stage.cpu_ms for stage in report.stages if stage.stage in ("decode", "backbone"))
        found["extraction_limit"] = 1000 * available_cores() / cost
        found["ratio_to_extraction_limit"] = found["frames_per_second"] / found["extraction_limit"]
        if options.frames:
            film = Path(folder) / "film.mkv"
            join(videos, options.frames / 10, film)
            found.update(growth(model, film))
    found["stages"] = [vars(stage) for stage in report.stages]
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
