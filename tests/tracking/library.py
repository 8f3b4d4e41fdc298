"""What Ultralytics itself makes of frames: the reference that ours is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.video.clips import SHARED
from vidlstm.backbones.yolo.model import load_yolo
from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.structures import Detections

WEIGHTS = SHARED.parents[1] / "weights"
ON_CPU = {"device": torch.device("cpu"), "verbose": False}
"""Where ours runs too; the library would take a GPU where there is one."""


def library_model(weights: Path) -> Any:
    """The library's own object, around the network of ``weights``."""
    yolo: Any = ultralytics_module("ultralytics").YOLO
    found = load_yolo(weights)
    model = yolo(f"yolo11n{'-pose' if found.task == 'pose' else ''}.yaml", task=found.task, verbose=False)
    model.model = found.module
    return model


def predicted(model: Any, images: list[np.ndarray], **settings: Any) -> list[Any]:
    """The results of ``predict`` on RGB frames, one call a frame."""
    return [model.predict(np.ascontiguousarray(i[..., ::-1]), **ON_CPU, **settings)[0] for i in images]


def overlap(a_N4: np.ndarray, b_M4: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair, ``(N, M)``."""
    from torchvision.ops import box_iou

    return box_iou(torch.as_tensor(a_N4), torch.as_tensor(b_M4)).numpy()


def disagreements(ours: Detections, theirs: Any, *, least: float = 0.99) -> list[str]:
    """What differs between our detections of a frame and the library's; nothing where all agree."""
    boxes, classes = theirs.boxes.xyxy.numpy(), theirs.boxes.cls.numpy()
    if len(ours) != len(boxes):
        return [f"{len(ours)} detections, the library has {len(boxes)}"]
    if not len(boxes):
        return []
    pairs = np.where(ours.class_N[:, None] == classes[None], overlap(ours.boxes_N4, boxes), 0)
    best_N, taken = pairs.max(1), len(set(pairs.argmax(1)))
    bad = [f"box {n}: overlap {best_N[n]:.4f}" for n in np.flatnonzero(best_N <= least)]
    return bad + ([] if taken == len(boxes) else ["two of ours fit one of theirs"])
