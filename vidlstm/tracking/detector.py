"""Frames to detections, through the bare YOLO network in batches. Knows no video and no tracker.

The scaling of frames and the clean-up of what the network says are the library's own, so that boxes agree
with those of its ``predict``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torchvision  # noqa: F401 - the library's non-maximum suppression takes torchvision's where it is there

from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.errors import SettingsError, WeightsError, nearest
from vidlstm.structures import Detections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.backbones.yolo.model import YoloModel

TASKS = ("detect", "pose", "segment")
"""Kinds of network that give boxes."""
OVERLAP = 0.7
"""Of two boxes of a class with a larger intersection over union, one goes; the library's default."""
MOST = 300
"""Detections kept a frame; the library's default."""


class Detector:
    """A YOLO network as a function of frames. May be called from several threads.

    Args:
        yolo: the network; it is changed (layers are fused) and belongs to the detector from now on.
        image_size: longest side that frames are scaled to, pixels.
        confidence: less certain detections are dropped.
        classes: names to keep; none keeps all.
        device: where it runs.

    Attributes:
        names: class number to name.

    Raises:
        WeightsError: the network gives no boxes.
        SettingsError: it knows no such class.
    """

    def __init__(
        self,
        yolo: YoloModel,
        *,
        image_size: int = 640,
        confidence: float = 0.1,
        classes: Sequence[str] = (),
        device: torch.device | str = "cpu",
    ) -> None:
        if yolo.task not in TASKS:
            raise WeightsError(
                f"{yolo.path} is a network for {yolo.task!r}; tracking needs {', '.join(TASKS)}"
            )
        self.names, self.device = yolo.names, torch.device(device)
        self._confidence, self._points = confidence, yolo.keypoints
        self._classes = class_numbers(classes, yolo.names)
        module: Any = yolo.module
        if yolo.end_to_end:
            module.end2end = False  # as predict does: its head without suppression is not the default
        module = module.fuse(verbose=False).to(self.device)
        # Contiguous images in this order of dimensions are read 15 to 20 % faster by a CPU's kernels.
        self._module = module.to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self._letterbox = ultralytics_module("ultralytics.data.augment").LetterBox(
            image_size, auto=True, stride=yolo.stride
        )
        self._suppress = ultralytics_module("ultralytics.utils.nms").non_max_suppression
        self._ops = ultralytics_module("ultralytics.utils.ops")

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """A frame ``(H, W, 3)`` uint8 scaled and padded to what the network takes, ``(h, w, 3)`` uint8."""
        scaled: np.ndarray = self._letterbox(image=image)
        return scaled

    @torch.inference_mode()
    def __call__(self, prepared_BHWC: np.ndarray, size: tuple[int, int]) -> list[Detections]:
        """The detections of each frame of a batch, most certain first.

        Args:
            prepared_BHWC: RGB uint8 ``(B, h, w, 3)`` from :meth:`prepare`.
            size: height and width of the frames before it, pixels.
        """
        batch = torch.from_numpy(prepared_BHWC).to(self.device).permute(0, 3, 1, 2).float().div_(255)
        predicted = self._module(batch)
        while isinstance(predicted, tuple | list):  # further outputs: losses, prototypes of masks
            predicted = predicted[0]
        # A time limit that can be reached would lose detections on a busy computer.
        found = self._suppress(
            predicted,
            self._confidence,
            OVERLAP,
            self._classes or None,
            max_det=MOST,
            nc=len(self.names),
            max_time_img=1e6,
        )
        return [self._in_pixels(rows, tuple(batch.shape[2:]), size) for rows in found]

    def _in_pixels(self, rows_NV: torch.Tensor, scaled: tuple[int, ...], size: tuple[int, int]) -> Detections:
        rows_NV = rows_NV.cpu()
        boxes = self._ops.scale_boxes(scaled, rows_NV[:, :4], size).numpy()
        points, values = self._points
        keypoints = np.zeros((len(boxes), points, 3), np.float32)
        if points:
            there = rows_NV[:, 6:].view(len(boxes), points, values)
            keypoints[..., 2] = 1.0  # networks without a confidence of points
            keypoints[..., :values] = self._ops.scale_coords(scaled, there, size).numpy()
        return Detections(boxes, rows_NV[:, 4].numpy(), rows_NV[:, 5].numpy().astype(np.int64), keypoints)


def class_numbers(wanted: Sequence[str], names: dict[int, str]) -> list[int]:
    """The numbers of the classes of these names, in the network's order.

    Raises:
        SettingsError: the network knows no such class.
    """
    for name in wanted:
        if name not in names.values():
            raise SettingsError(f"the network knows no class {name!r}{nearest(name, names.values())}")
    return [number for number, name in names.items() if name in wanted]
