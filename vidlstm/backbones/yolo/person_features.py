"""A tracked person in a fixed number of values a step: posture, joints, and the nearest other body.

What ``pose_features.py`` says of a whole frame, said of each body by itself. Lengths are in body sizes, so
that near and far agree; everything is weighed by the confidence of the keypoints it is made of, and nobody is
zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidlstm.backbones.yolo.detections import Detections
from vidlstm.backbones.yolo.geometry import presence
from vidlstm.backbones.yolo.pose_features import LAYOUT as POSE_LAYOUT
from vidlstm.backbones.yolo.pose_features import body_relations, joints, postures

LAYOUT = [2, POSE_LAYOUT]
"""To be counted up whenever the meaning of a value changes: it is part of the fingerprint. From 2 on
keypoints that are missing for a while are filled in before bodies are described."""
UNFILLED_LAYOUT = [1, POSE_LAYOUT]
"""Of checkpoints of before: they see bodies as they were trained on them."""
WIDTH = 1 + 29 + 34 + 11 + 1


def describe_people(people: Detections) -> Tensor:
    """Describes each person of each frame.

    Args:
        people: COCO's 17 keypoints each; a place with nobody in it has confidence 0.

    Returns:
        ``(B, N, 76)``: presence; posture (``pose_features.postures``); joints from the middle of the torso;
        of each relation to another body (``pose_features.body_relations``) the strongest, whoever reaches for
        whom; how many others are near, log(1 + the sum of nearness).
    """
    relations_BNNR = body_relations(people)
    either = torch.maximum(relations_BNNR, relations_BNNR.transpose(1, 2))
    near_BN1 = relations_BNNR[..., :1].sum(2).log1p()
    values = [
        presence(people.confidence_BN)[..., None],
        postures(people),
        joints(people).flatten(2),
        either.amax(2),
        near_BN1,
    ]
    return torch.cat(values, -1)
