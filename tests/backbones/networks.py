"""Backbones to test on, each built once, and frames to run through them."""

from __future__ import annotations

import atexit
import tempfile
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.fakes.yolo import save_yolo, tiny_yolo
from vidlstm.backbones.base import Backbone
from vidlstm.backbones.build import build_backbone, build_network, with_one_fit
from vidlstm.backbones.network import FrozenNetwork, Network
from vidlstm.backbones.onednn import FusedConvolution
from vidlstm.backbones.parts import parse_parts
from vidlstm.settings import BackboneSettings
from vidlstm.structures import FrameSize
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler

SHARED = Path(__file__).parents[2].parent / "shared"
MOBILENET = SHARED / "weights" / "mobilenet_v2-b0353104.pth"

WIDTHS = {"mobilenet_v3_small": 1024, "squeezenet1_1": 512, "mnasnet0_5": 1280, "shufflenet_v2_x0_5": 1024}
"""Small networks of four families, and how many features each gives."""

SMALL_SIDE = 96
YOLO_WIDTHS = {"yolo:embed": 48, "yolo:objects": 229, "yolo:pose": 71, "yolo:joints": 230}
JOINED_WIDTHS = {"squeezenet1_1+yolo:objects": 512 + 229, "yolo:pose+yolo:embed": 71 + 48}
"""Tiny YOLO networks by themselves, and networks side by side."""
PLUGIN = "tests.backbones.plugin:tiny"
PLUGIN_WIDTHS = {PLUGIN: 24, f"yolo:embed+{PLUGIN}": 48 + 24}
TIMM_WIDTHS = {"timm:mobilenetv3_small_050": 1024, "timm:vit_tiny_patch16_224": 192}
if find_spec("timm") is None:
    TIMM_WIDTHS = {}


def build(name: str, *, device: str = "cpu", **options: Any) -> Backbone:
    """A backbone on the CPU, unless another device is asked for."""
    return build_backbone(BackboneSettings(name=name, **options), device=device)


@cache
def untrained(name: str, dtype: str = "float32") -> Backbone:
    """A backbone with drawn weights; networks that take small frames see small frames.

    In bfloat16, which a processor without it takes ten times as long for, all do.
    """
    networks = [drawn(part, side_of(name)) for part in name.split("+")]
    if dtype == "bfloat16":
        networks = [replace(network, size=small(network.size)) for network in networks]
    return Backbone(*with_one_fit(networks, "squash"), dtype=dtype)


def side_of(name: str) -> int | None:
    """Of the frames that networks see who take frames of any size."""
    return SMALL_SIDE if "yolo:" in name else 32 if "timm:" in name else None


def small(size: FrameSize) -> FrameSize:
    side = min(size.height, SMALL_SIDE)
    return FrameSize(side, side, size.fit)


@cache
def drawn(name: str, size: int | None) -> Network:
    """A network with drawn weights; drawing and reading one takes longer than what is asked of it."""
    weights = str(yolo_file(name)) if name in YOLO_WIDTHS else "random"
    (part,) = parse_parts(name, weights)
    return build_network(part, BackboneSettings(size=size))


def outputs(part: FrozenNetwork, frames: torch.Tensor) -> list[torch.Tensor]:
    """What a network says before detections are made of it, whose order is a matter of last bits."""
    with torch.inference_mode():
        found = part.module(part._normalised(frames))
    return [value.float().flatten(1) for value in ([found] if isinstance(found, torch.Tensor) else found)]


def apart(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> float:
    """The largest distance of any frame's outputs, as a share of their length."""
    pairs = zip(found, wanted, strict=True)
    return max(float(((a - b).norm(dim=1) / b.norm(dim=1)).max()) for a, b in pairs)


def roundoff(part: FrozenNetwork, dtype: str) -> float:
    """How far :func:`apart` the same network may be where its kernels add in another order.

    Of each layer the sum and what follows are rounded once each; errors add up like a random walk. Sums are
    of up to some thousand terms, each of which float32 rounds; in bfloat16 they are kept in float32.
    """
    layers = sum(isinstance(m, nn.Conv2d | nn.Linear | FusedConvolution) for m in part.module.modules())
    terms, rounding = (1024, 2.0**-24) if dtype == "float32" else (1, 2.0**-8)
    return rounding * float(2 * layers * terms) ** 0.5


@cache
def yolo_file(name: str, seed: int = 0) -> Path:
    """A tiny YOLO network that detects something on drawn frames, in a file that is there for this run."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    task = "pose" if name in ("yolo:pose", "yolo:joints") else "detect"
    network = tiny_yolo(task, seed=seed)
    for branch in network.model[-1].cv3:  # an untrained head is sure of nothing
        torch.nn.init.normal_(branch[-1].bias, 0.0, 2.0, generator=torch.Generator().manual_seed(seed))
    return save_yolo(Path(folder.name) / f"{task}.pt", network)


def drawn_frames(count: int, side: int = 224, *, seed: int = 0) -> torch.Tensor:
    """Smooth colours with hard edges over them, ``(B, side, side, 3)`` uint8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 7, 7, generator=generator)
    frames = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)
    for frame in frames:
        for _ in range(4):
            top, left, height, width = (
                int(v) for v in torch.randint(10, side // 2, (4,), generator=generator)
            )
            colour = torch.rand(3, 1, 1, generator=generator)
            frame[:, top : top + height, left : left + width] = colour
    return (frames * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@cache
def real_frames(count: int) -> torch.Tensor:
    """One frame of each of some real clips; drawn ones where those are not there."""
    clips = sorted((SHARED / "data" / "fight").rglob("*.mp4"))
    if not clips:
        return drawn_frames(count)
    frames = []
    for clip in clips[:: len(clips) // count][:count]:
        with open_video(clip, size=FrameSize(224, 224), wanted=SteadySampler(1.0)) as reader:
            frames.append(next(iter(reader)).image)
    return torch.from_numpy(np.stack(frames))
