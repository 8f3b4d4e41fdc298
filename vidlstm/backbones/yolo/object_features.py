"""What was detected on a frame, in a fixed number of values that need no further scaling.

Nothing here looks at another frame: how things approach each other is the change of these values from one
step to the next (``--model.absolute_difference``).
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidlstm.backbones.yolo.detections import Detections
from vidlstm.backbones.yolo.geometry import (
    box_relations,
    largest,
    pairs,
    placements,
    presence,
    strongest_and_sum,
)

LAYOUT = 1
"""To be counted up whenever the meaning of a value changes: it is part of the fingerprint."""
PLACED = 4
"""Detections that are described one by one."""
RELATED = 8
"""Detections whose relations are summed up."""


def describe_objects(found: Detections, side: int, classes: int) -> Tensor:
    """Describes the detections of each frame.

    Of each class, the logarithm of one more than its count and its largest confidence; how many there are in
    all; of the four largest, where they are and how every two of them lie to each other; of the eight
    largest, the strongest of these relations and their sums.

    Args:
        found: from ``detections.select``.
        side: of the frames, in pixels.
        classes: how many the network knows.

    Returns:
        ``(B, 2 * classes + 69)``.
    """
    counts_BN = presence(found.confidence_BN)
    is_class_BNK = torch.nn.functional.one_hot(found.classes_BN, classes).to(counts_BN)
    per_class = (is_class_BNK * counts_BN[..., None]).sum(1).log1p()
    surest = (is_class_BNK * found.confidence_BN[..., None]).amax(1)
    relations = box_relations(largest(found, RELATED))
    return torch.cat(
        [
            per_class,
            surest,
            counts_BN.sum(1, keepdim=True).log1p(),
            placements(largest(found, PLACED), side).flatten(1),
            pairs(relations, PLACED),
            strongest_and_sum(relations),
        ],
        1,
    )
