"""A YOLO head's decoded output to a fixed number of detections per frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import nms

CONFIDENCE = 0.1
"""Below this a candidate is dropped. Low, because features weigh what they are made of by its confidence."""
OVERLAP = 0.7
"""Two boxes of a class that overlap more than this (IoU) are one object; Ultralytics' own default."""
MOST = 40
"""Detections kept per frame, the most confident ones."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found on ``B`` frames, ``N`` places each; a place with nothing in it has confidence 0.

    Attributes:
        boxes_BN4: x1, y1, x2, y2 in pixels of the frame given to the network.
        confidence_BN: 0..1, falling.
        classes_BN: class numbers, int64.
        points_BNKC: keypoints, x, y in pixels and, where the network gives it, a confidence; K may be 0.
    """

    boxes_BN4: Tensor
    confidence_BN: Tensor
    classes_BN: Tensor
    points_BNKC: Tensor

    def take(self, order_BM: Tensor) -> Detections:
        """The detections at these places of each frame, in this order."""
        points = self.points_BNKC.shape[2:]
        index = order_BM[..., None, None].expand(-1, -1, *points)
        return Detections(
            self.boxes_BN4.gather(1, order_BM[..., None].expand(-1, -1, 4)),
            self.confidence_BN.gather(1, order_BM),
            self.classes_BN.gather(1, order_BM),
            self.points_BNKC.gather(1, index),
        )


def select(
    decoded_BQA: Tensor, classes: int, points: tuple[int, int], *, end_to_end: bool, overlap: float = OVERLAP
) -> Detections:
    """Picks the detections out of all candidates, frame by frame: what shares the batch changes nothing.

    Args:
        decoded_BQA: as Ultralytics' heads give it: per candidate a box (centre, width, height), the score of
            each class, the keypoints. Of an end-to-end head ``(B, A, Q)``: corners, score, class, keypoints.
        classes: how many there are.
        points: keypoints and numbers to each.
        end_to_end: the head has chosen already.
        overlap: see ``OVERLAP``.
    """
    frames = [
        _chosen(frame) if end_to_end else _suppressed(frame.T, classes, overlap) for frame in decoded_BQA
    ]
    rows_BNQ = torch.stack([functional.pad(rows, (0, 0, 0, MOST - len(rows))) for rows in frames])
    return Detections(
        rows_BNQ[..., :4],
        rows_BNQ[..., 4],
        rows_BNQ[..., 5].long(),
        rows_BNQ[..., 6 : 6 + points[0] * points[1]].reshape(*rows_BNQ.shape[:2], *points),
    )


def _chosen(rows_AQ: Tensor) -> Tensor:
    return rows_AQ[rows_AQ[:, 4] > CONFIDENCE][:MOST]


def _suppressed(rows_AQ: Tensor, classes: int, overlap: float) -> Tensor:
    confidence, kind = rows_AQ[:, 4 : 4 + classes].max(1)
    likely = confidence > CONFIDENCE
    rows_AQ, confidence, kind = rows_AQ[likely], confidence[likely], kind[likely]
    half = rows_AQ[:, 2:4] / 2
    corners = torch.cat([rows_AQ[:, :2] - half, rows_AQ[:, :2] + half], 1)
    # Classes are moved apart by more than a frame, so that only boxes of one class meet; float64 keeps the
    # fractions of a pixel that far out.
    kept = nms(corners.double() + 4096.0 * kind[:, None], confidence.double(), overlap)[:MOST]
    rest = rows_AQ[kept, 4 + classes :]
    return torch.cat([corners[kept], confidence[kept, None], kind[kept, None].to(corners), rest], 1)
