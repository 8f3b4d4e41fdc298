"""Numbers about boxes that stay within about -1..3, change steadily, and are 0 where nothing is."""

from __future__ import annotations

import torch
from torch import Tensor

from vidlstm.backbones.yolo.detections import Detections

FAINT, SURE = 0.1, 0.4
"""Confidence at which a detection begins to count, and from which it counts fully: a detection that comes and
goes at a threshold would make every feature jump."""


def presence(confidence: Tensor) -> Tensor:
    """How much detections count, 0..1, by their confidence; any shape."""
    return ((confidence - FAINT) / (SURE - FAINT)).clamp(0.0, 1.0)


def largest(found: Detections, count: int) -> Detections:
    """The ``count`` largest detections of each frame, the largest first; faint ones count as smaller."""
    sides_BN2 = (found.boxes_BN4[..., 2:] - found.boxes_BN4[..., :2]).clamp_min(0.0)
    area_BN = sides_BN2.prod(-1) * presence(found.confidence_BN)
    return found.take(area_BN.argsort(dim=1, descending=True, stable=True)[:, :count])


def placements(found: Detections, side: int) -> Tensor:
    """Where each detection is, ``(B, N, 7)``: presence, confidence, centre, width, height, aspect.

    Lengths are in frames; the centre is counted from the middle. The aspect is width over the sum of both.
    """
    low, high = found.boxes_BN4[..., :2], found.boxes_BN4[..., 2:]
    size = (high - low).clamp_min(1.0)
    counts = presence(found.confidence_BN)[..., None]
    aspect = size[..., :1] / size.sum(-1, keepdim=True)
    rows = torch.cat([(low + high) / (2 * side) - 0.5, size / side, aspect], -1)
    return torch.cat([counts, found.confidence_BN[..., None], rows * counts], -1)


def body_sizes(found: Detections) -> Tensor:
    """Of each detection, in pixels, ``(B, N)``: its diagonal, which a person keeps who bends or falls."""
    sides_BN2 = found.boxes_BN4[..., 2:] - found.boxes_BN4[..., :2]
    size_BN: Tensor = torch.linalg.vector_norm(sides_BN2, dim=-1)
    return size_BN.clamp_min(8.0)


def both_present(found: Detections) -> Tensor:
    """How much each pair counts, ``(B, N, N)``; nothing pairs with itself."""
    counts_BN = presence(found.confidence_BN)
    apart_NN = 1.0 - torch.eye(counts_BN.shape[1], device=counts_BN.device)
    return counts_BN[:, :, None] * counts_BN[:, None] * apart_NN


def box_relations(found: Detections) -> Tensor:
    """How every two boxes lie to each other, ``(B, N, N, 5)``, each 0..1 and symmetric.

    Nearness, ``exp(-d)`` at a distance of ``d`` mean sizes; overlap (IoU); how much of the smaller is
    covered; the smaller size over the larger; how level their centres are.
    """
    low, high = found.boxes_BN4[..., :2], found.boxes_BN4[..., 2:]
    centre, area = (low + high) / 2, (high - low).clamp_min(1.0).prod(-1)
    size = body_sizes(found)
    mean_size = (size[:, :, None] + size[:, None]) / 2
    apart = (centre[:, :, None] - centre[:, None]) / mean_size[..., None]
    shared = torch.minimum(high[:, :, None], high[:, None]) - torch.maximum(low[:, :, None], low[:, None])
    inside = shared.clamp_min(0.0).prod(-1)
    relations = [
        torch.exp(-apart.norm(dim=-1)),
        inside / (area[:, :, None] + area[:, None] - inside).clamp_min(1.0),
        inside / torch.minimum(area[:, :, None], area[:, None]),
        torch.minimum(size[:, :, None], size[:, None]) / torch.maximum(size[:, :, None], size[:, None]),
        torch.exp(-2.0 * apart[..., 1].abs()),
    ]
    return torch.stack(relations, -1) * both_present(found)[..., None]


def pairs(relations_BNNR: Tensor, count: int) -> Tensor:
    """Relations of every two of the first ``count``, one after another, ``(B, pairs * R)``.

    Of a relation that differs by direction, the stronger one.
    """
    either = torch.maximum(relations_BNNR, relations_BNNR.transpose(1, 2))
    first, second = torch.triu_indices(count, count, 1)
    return either[:, first, second].flatten(1)


def strongest_and_sum(relations_BNNR: Tensor) -> Tensor:
    """Each relation's largest value among all pairs, and log(1 + its sum over them), ``(B, 2 R)``."""
    return torch.cat([relations_BNNR.amax((1, 2)), (relations_BNNR.sum((1, 2)) / 2.0).log1p()], 1)
