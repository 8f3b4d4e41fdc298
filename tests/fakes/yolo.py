"""YOLO files as Ultralytics saves them, with drawn weights and few channels, of every task and generation."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import torch

from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module

NETWORKS = {
    "detect": "DetectionModel",
    "pose": "PoseModel",
    "segment": "SegmentationModel",
    "classify": "ClassificationModel",
}
SUFFIXES = {"detect": "", "pose": "-pose", "segment": "-seg", "classify": "-cls"}
TINY = {"t": [0.33, 0.125, 128]}
WIDER = {"t": [0.33, 0.25, 512]}
"""The area attention of generation 12 comes in heads of 32 channels."""


def tiny_yolo(task: str = "detect", generation: str = "11", *, seed: int = 0) -> torch.nn.Module:
    """A network of ``task`` of YOLO ``generation`` (v8, 11, 26), an eighth as wide as the published ones."""
    return deepcopy(_drawn(task, generation, seed))


@cache
def _drawn(task: str, generation: str, seed: int) -> torch.nn.Module:
    root = Path(ultralytics_module("ultralytics").__file__).parent
    name = f"yolo{generation}{SUFFIXES[task]}.yaml"
    plan = ultralytics_module("ultralytics.utils").YAML.load(root / "cfg" / "models" / generation / name)
    plan.update(scales=WIDER if generation == "12" else TINY, scale="t", yaml_file=name)
    tasks: Any = ultralytics_module("ultralytics.nn.tasks")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = getattr(tasks, NETWORKS[task])(plan, verbose=False)
        for value in network.parameters():
            if value.ndim > 1:
                torch.nn.init.normal_(value, std=1.5 * value[0].numel() ** -0.5)
    network.names = {i: f"class {i}" for i in range(plan["nc"])}
    return network.eval()


def save_yolo(path: Path, network: torch.nn.Module, **more: Any) -> Path:
    """Saves a network as the end of a training does: whole, in half precision, with its settings."""
    checkpoint = {
        "date": "2026-01-01",
        "version": "8.4.0",
        "model": network.half(),
        "ema": None,
        "train_args": {"imgsz": 64, "task": "detect"},
        **more,
    }
    torch.save(checkpoint, path)
    network.float()
    return path
