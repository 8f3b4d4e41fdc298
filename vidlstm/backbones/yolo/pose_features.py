"""Poses found on a frame in a fixed number of values: each body by itself, and body to body.

Nothing here looks at another frame: a blow or a fall is the change of these values from one step to the next
(``--model.absolute_difference``). Lengths are in body sizes (``geometry.body_sizes``), so that near and far
agree, and every value is weighed by the confidence of the keypoints it is made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidlstm.backbones.yolo.detections import Detections
from vidlstm.backbones.yolo.geometry import (
    body_sizes,
    both_present,
    box_relations,
    largest,
    pairs,
    placements,
    presence,
)

LAYOUT = 1
"""To be counted up whenever the meaning of a value changes: it is part of the fingerprint."""
POINTS = 17
PEOPLE = 6
"""The largest people of a frame are looked at, at most so many."""
PLACED = 4
"""People whose joints are given one by one."""

HEAD = [0, 1, 2, 3, 4]
SHOULDERS, ELBOWS, WRISTS = [5, 6], [7, 8], [9, 10]
HIPS, KNEES, ANKLES = [11, 12], [13, 14], [15, 16]
TORSO = [*SHOULDERS, *HIPS]
LIMBS = (
    (SHOULDERS, WRISTS, "length"),
    (SHOULDERS, WRISTS, "up"),
    (SHOULDERS, WRISTS, "aside"),
    (SHOULDERS, ELBOWS, "up"),
    (SHOULDERS, ELBOWS, "aside"),
    (HIPS, ANKLES, "length"),
    (HIPS, ANKLES, "aside"),
    (HIPS, ANKLES, "up"),
    (HIPS, KNEES, "up"),
    (HIPS, KNEES, "aside"),
)
"""From where to where, and what of it. Left and right count alike: a film may be mirrored."""


def describe_poses(found: Detections, side: int) -> Tensor:
    """Describes the people of each frame without putting them in an order, which would change as they move.

    How many there are; the mean posture of the two who are most involved with another, and of the two
    largest; the strongest relations between any two bodies.

    Args:
        found: from ``detections.select``, with COCO's 17 keypoints.
        side: of the frames; has no effect, as everything is relative to the bodies.

    Returns:
        ``(B, 71)``.
    """
    del side
    people = largest(found, PEOPLE)
    counts_BN = presence(people.confidence_BN)
    relations = body_relations(people)
    # Near to someone (the first relation), and in touch (the last).
    involved_BN = (relations[..., 0] + relations[..., -1]).amax(2) * counts_BN
    two = involved_BN.argsort(dim=1, descending=True, stable=True)[:, :2]
    number = counts_BN.sum(1, keepdim=True)
    return torch.cat(
        [
            number.log1p(),
            number.clamp(max=2.0) / 2.0,
            postures(people.take(two)).sum(1) / 2.0,
            postures(people)[:, :2].sum(1) / 2.0,
            relations.amax((1, 2)),
        ],
        1,
    )


def describe_joints(found: Detections, side: int) -> Tensor:
    """Describes the four largest people of each frame one by one, the largest first.

    Where each is; each joint from the middle of the torso; how every two of them relate.

    Args:
        found: from ``detections.select``, with COCO's 17 keypoints.
        side: of the frames, in pixels.

    Returns:
        ``(B, 230)``.
    """
    people = largest(found, PLACED)
    return torch.cat(
        [
            placements(people, side).flatten(1),
            joints(people).flatten(1),
            pairs(body_relations(people), PLACED),
        ],
        1,
    )


def joints(people: Detections) -> Tensor:
    """Each joint from the middle of its torso, right and down, ``(B, N, 17, 2)``."""
    middle, _ = centre(people, TORSO)
    away = (people.points_BNKC[..., :2] - middle[:, :, None]) / body_sizes(people)[..., None, None]
    return away.clamp(-1.0, 1.0) * seen(people)[..., None]


def seen(people: Detections) -> Tensor:
    """How much each keypoint counts, ``(B, N, 17)``."""
    return people.points_BNKC[..., 2] * presence(people.confidence_BN)[..., None]


def centre(people: Detections, points: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The middle of some keypoints, ``(B, N, 2)`` pixels, and how much it counts, ``(B, N)``."""
    weight = people.points_BNKC[:, :, points, 2:]
    places = people.points_BNKC[:, :, points, :2]
    # Where none is seen, the plain mean: it counts nothing, but must be a number.
    middle = (places * (weight + 1e-3)).sum(2) / (weight + 1e-3).sum(2)
    return middle, weight.mean((2, 3)) * presence(people.confidence_BN)


def postures(people: Detections) -> Tensor:
    """Each body by itself, ``(B, N, 29)``, about -1..1: limbs, torso, stance, hands, box, what is seen."""
    places, counts, size = people.points_BNKC[..., :2], seen(people), body_sizes(people)

    def between(first: int, last: int) -> Tensor:
        """From one joint to another in body sizes, weighed by the less certain."""
        way = (places[:, :, last] - places[:, :, first]) / size[..., None]
        return way.clamp(-1.0, 1.0) * torch.minimum(counts[:, :, first], counts[:, :, last])[..., None]

    values: list[Tensor] = []
    for start, end, what in LIMBS:
        left, right = (_part(between(a, b), what) for a, b in zip(start, end, strict=True))
        values += [torch.maximum(left, right), (left + right) / 2.0]
    trunk = [(between(hip, shoulder)) for hip, shoulder in zip(HIPS, SHOULDERS, strict=True)]
    values += [_part((trunk[0] + trunk[1]) / 2.0, what) for what in ("aside", "up")]
    values += [_part(between(*ANKLES), "aside"), _part(between(*WRISTS), "length")]
    low, high = people.boxes_BN4[..., :2], people.boxes_BN4[..., 2:]
    sides = (high - low).clamp_min(1.0)
    values += [sides[..., 0] / sides.sum(-1) * presence(people.confidence_BN)]
    values += [counts.mean(-1), *(counts[:, :, points].amax(-1) for points in (HEAD, ANKLES, WRISTS))]
    return torch.stack(values, -1)


def _part(way: Tensor, what: str) -> Tensor:
    match what:
        case "length":
            length: Tensor = torch.linalg.vector_norm(way, dim=-1)
            return length
        case "up":
            return -way[..., 1]
        case _:
            return way[..., 0].abs()


def body_relations(people: Detections) -> Tensor:
    """How every two bodies relate, ``(B, N, N, 11)``, each 0..1.

    Those of their boxes (``geometry.box_relations``); how near the one's wrists are to the other's torso and
    head, its knees and ankles, and its elbows, to the torso; how near their torsos are; how near any joint of
    one is to any of the other. Nearness is ``exp(-2 d)`` of a distance of ``d`` body sizes, for joints
    ``exp(-4 d)``.
    """
    places, counts, size = people.points_BNKC[..., :2], seen(people), body_sizes(people)
    both, mean_size = both_present(people), (size[:, :, None] + size[:, None]) / 2
    torso, head = centre(people, TORSO), centre(people, HEAD)

    def reach(points: Sequence[int], target: tuple[Tensor, Tensor]) -> Tensor:
        away = (places[:, :, None, points] - target[0][:, None, :, None]).norm(dim=-1) / mean_size[..., None]
        sure = counts[:, :, None, points] * target[1][:, None, :, None]
        return (torch.exp(-2.0 * away) * sure).amax(-1)

    apart = (torso[0][:, :, None] - torso[0][:, None]).norm(dim=-1) / mean_size
    joint = (places[:, :, None, :, None] - places[:, None, :, None]).norm(dim=-1) / mean_size[..., None, None]
    relations = [
        reach(WRISTS, torso),
        reach(WRISTS, head),
        reach([*KNEES, *ANKLES], torso),
        reach(ELBOWS, torso),
        torch.exp(-2.0 * apart) * (torso[1][:, :, None] * torso[1][:, None]).sqrt(),
        (torch.exp(-4.0 * joint) * counts[:, :, None, :, None] * counts[:, None, :, None]).amax((-2, -1)),
    ]
    bodies = torch.stack(relations, -1) * both[..., None]
    return torch.cat([box_relations(people), bodies], -1)
