"""Opening an Ultralytics ``.pt`` file without trusting it.

Such a file is a pickle of the whole network, not of its weights alone, and a pickle can run any code. It is
read by torch's restricted unpickler, which may fill in network layers and call none of them
(``shells.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidlstm.backbones.weights import sha256_of
from vidlstm.backbones.yolo.shells import NETWORKS, Shells, names_in
from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.errors import WeightsError, torch_reason

KNOWN_FILES = {
    "9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef": "yolo26n.pt, Ultralytics, COCO",
    "869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0": "yolo11n-pose.pt, Ultralytics, COCO",
}
"""SHA-256 of files known to be what they claim, and whose they are: read even where an installed ultralytics
has moved a layer to a place that is not known here."""

NETWORK_MODULES = ("ultralytics.nn.tasks", "ultralytics.utils.loss", "ultralytics.utils.tal")
CLASSIFIER_SIDE, SIDE = 224, 640


@dataclass(frozen=True, eq=False)
class YoloModel:
    """A YOLO network from a file.

    Attributes:
        module: Ultralytics' own network, float32, in eval mode, on the CPU, not fused, nothing to train. It
            takes RGB images ``(B, 3, H, W)`` scaled to 0..1, H and W multiples of ``stride``.
        names: class number to class name.
        task: detect, pose, segment or classify.
        stride: of its coarsest map, in pixels.
        side: of the square images it was trained on, in pixels.
        end_to_end: its head picks the detections itself, so they need no non-maximum suppression.
        keypoints: how many a person has, and the numbers to each (3: x, y, confidence); (0, 0) where the
            task is not pose.
        path: the file.
        sha256: of the file.
    """

    module: nn.Module
    names: dict[int, str]
    task: str
    stride: int
    side: int
    end_to_end: bool
    keypoints: tuple[int, int]
    path: Path
    sha256: str


def load_yolo(path: str | Path, *, trust: bool = False) -> YoloModel:
    """Opens an Ultralytics detection, pose, segmentation or classification network.

    Args:
        path: a ``.pt`` file. It is never searched for elsewhere, nor downloaded.
        trust: run the code of a file that holds more than layers and numbers.

    Raises:
        WeightsError: there is no such file, it is damaged, is no such network, or would run code.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; YOLO weights are not downloaded")
    digest = sha256_of(path)
    checkpoint = _read(path, trust=trust or digest in KNOWN_FILES)
    network = _network_in(checkpoint, path)
    try:
        return _described(network, checkpoint, path, digest)
    except (AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"{path} is not a whole YOLO network: {error}") from error


def _read(path: Path, *, trust: bool) -> Any:
    for name in NETWORK_MODULES:
        ultralytics_module(name)
    try:
        shells = Shells(names_in(path))
    except Exception as error:  # a damaged file makes torch's reader stumble in many ways
        raise WeightsError(f"{path} is not a file of torch.save, or is damaged: {error}") from error
    if shells.refused and not trust:
        raise WeightsError(
            f"{path} is refused: a .pt file is a pickle and can run any code on this computer, and this one "
            f"names {', '.join(shells.refused[:5])}, which no plain YOLO network needs. If you know who made "
            "it, give `backbone.trust true` (`trust true` to track and predict)"
        )
    try:
        if shells.refused:
            return torch.load(path, map_location="cpu", weights_only=False)
        with shells.allowed():
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = torch_reason(error)
        raise WeightsError(f"{path} cannot be read (it is damaged, or would run code): {reason}") from error


def _network_in(checkpoint: Any, path: Path) -> nn.Module:
    network: Any = None
    if isinstance(checkpoint, Mapping):
        network = checkpoint.get("ema") or checkpoint.get("model")
    if not isinstance(network, nn.Module) or type(network).__name__ not in NETWORKS:
        raise WeightsError(
            f"{path} holds no YOLO detection, pose, segmentation or classification network but "
            f"{type(network or checkpoint).__name__}"
        )
    network.float().eval().requires_grad_(False)
    broken = [k for k, v in network.state_dict().items() if not bool(torch.isfinite(v).all())]
    if broken:
        raise WeightsError(f"{path} is damaged: {broken[0]} holds infinite values or none at all (nan)")
    for module in network.modules():
        if isinstance(module, nn.Upsample):
            module.recompute_scale_factor = None  # files older than torch 1.11 lack it
    return network


def _described(network: Any, checkpoint: Any, path: Path, digest: str) -> YoloModel:
    task = NETWORKS[type(network).__name__]
    head = network.model[-1]
    names = network.names
    trained_with = checkpoint.get("train_args") or {}
    side = trained_with.get("imgsz", CLASSIFIER_SIDE if task == "classify" else SIDE)
    classes = head.linear.out_features if task == "classify" else head.nc
    named = dict(names) if isinstance(names, Mapping) else dict(enumerate(names))
    points, numbers = head.kpt_shape if task == "pose" else (0, 0)
    return YoloModel(
        module=network,
        names={i: str(named[i]) for i in range(classes)},
        task=task,
        stride=max(32, int(torch.as_tensor(getattr(network, "stride", 32)).max())),
        side=int(max(side) if isinstance(side, list | tuple) else side),
        end_to_end=bool(getattr(head, "end2end", False)),
        keypoints=(int(points), int(numbers)),
        path=path,
        sha256=digest,
    )
