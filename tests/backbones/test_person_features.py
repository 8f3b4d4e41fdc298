"""A person in numbers: nobody is nothing, where and how large the frame is says nothing, roles are shared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fakes.people import LEFT_WRIST, MIRRORED, joints_in
from vidlstm.backbones.yolo.detections import Detections
from vidlstm.backbones.yolo.person_features import LAYOUT, WIDTH, describe_people
from vidlstm.features.tracked_objects import POSE_DIM

BOXES = [(20.0, 30.0, 50.0, 90.0), (45.0, 28.0, 80.0, 95.0), (200.0, 20.0, 230.0, 80.0)]
POSTURE, JOINTS, NEAREST = slice(1, 30), slice(30, 64), slice(64, 75)


def people(
    boxes: list[tuple[float, ...]], *, raised: float = 0.2, confidence: float = 0.9, places: int = 3
) -> Detections:
    """One frame; places beyond the boxes hold garbage and confidence 0."""
    spare = places - len(boxes)
    corners = torch.tensor([*boxes, *[(1e5, 7.0, 2e5, 9.0)] * spare])
    points = np.stack([joints_in(b, raised=raised) for b in corners.tolist()])
    sure = torch.tensor([confidence] * len(boxes) + [0.0] * spare)
    return Detections(
        corners[None],
        sure[None],
        torch.zeros(1, places, dtype=torch.int64),
        torch.from_numpy(points).float()[None],
    )


def transformed(found: Detections, scale: float, by: tuple[float, float]) -> Detections:
    shift = torch.tensor(by)
    points = found.points_BNKC.clone()
    points[..., :2] = points[..., :2] * scale + shift
    return Detections(
        found.boxes_BN4 * scale + shift.repeat(2), found.confidence_BN, found.classes_BN, points
    )


def test_the_width_is_what_is_declared() -> None:
    described = describe_people(people(BOXES))
    assert described.shape == (1, 3, WIDTH) == (1, 3, 76)
    assert POSE_DIM == WIDTH + 3
    assert len(LAYOUT) == 2, "both layouts are part of the fingerprint"
    assert bool(described.isfinite().all()) and described.abs().max() < 5


def test_nobody_is_zeros_and_changes_nobody_else() -> None:
    described = describe_people(people(BOXES[:2], places=6))
    assert not described[:, 2:].any()
    torch.testing.assert_close(described[:, :2], describe_people(people(BOXES[:2], places=2)))
    assert not describe_people(people([], places=3)).any()


def test_someone_alone_relates_to_no_one() -> None:
    described = describe_people(people(BOXES[:1]))[0, 0]
    assert described[0] == 1
    assert described[POSTURE].any() and described[JOINTS].any()
    assert not described[NEAREST].any() and described[-1] == 0


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_where_and_how_large_the_frame_is_changes_nothing(scale: float) -> None:
    there = describe_people(transformed(people(BOXES), scale, (137.0, -40.0)))
    torch.testing.assert_close(there, describe_people(people(BOXES)), atol=1e-4, rtol=1e-4)


def test_the_order_of_the_people_is_the_order_of_the_rows() -> None:
    described = describe_people(people(BOXES))
    turned = describe_people(people(BOXES[::-1]))
    torch.testing.assert_close(turned.flip(1), described)


def test_who_reaches_for_whom_is_told_of_both() -> None:
    """The first one's hand goes to the second one's chest: both are in it, the third is not."""
    found = people(BOXES, raised=0.0)
    chest = found.points_BNKC[0, 1, [5, 6, 11, 12], :2].mean(0)
    before = describe_people(found)[0]
    found.points_BNKC[0, 0, LEFT_WRIST, :2] = chest
    after = describe_people(found)[0]
    reach = 64 + 5  # behind the five relations of boxes
    assert after[0, reach] == after[1, reach] == pytest.approx(1.0, abs=1e-3)
    assert before[0, reach] < 0.9
    torch.testing.assert_close(after[2, POSTURE], before[2, POSTURE])
    assert after[2, reach] < 0.05


def test_of_two_people_each_is_the_others_other() -> None:
    described = describe_people(people(BOXES[:2]))[0]
    torch.testing.assert_close(described[0, NEAREST], described[1, NEAREST])
    assert described[0, -1] == described[1, -1]


def test_a_mirrored_film_is_the_same_but_for_the_sides_of_the_joints() -> None:
    found = people(BOXES)
    flip = torch.tensor([-1.0, 1.0])
    boxes = found.boxes_BN4 * flip.repeat(2)
    points = found.points_BNKC[:, :, MIRRORED].clone()
    points[..., :2] *= flip
    mirrored = Detections(boxes[..., [2, 1, 0, 3]], found.confidence_BN, found.classes_BN, points)
    there, here = describe_people(mirrored), describe_people(found)
    torch.testing.assert_close(there[..., POSTURE], here[..., POSTURE])
    torch.testing.assert_close(there[..., NEAREST], here[..., NEAREST])
    joints = here[..., JOINTS].reshape(1, 3, 17, 2)[:, :, MIRRORED] * flip
    torch.testing.assert_close(there[..., JOINTS], joints.flatten(2))


def test_a_faint_detection_counts_little() -> None:
    sure, faint = (describe_people(people(BOXES, confidence=c))[0, :, 1:] for c in (0.9, 0.15))
    assert faint.abs().sum() < 0.5 * sure.abs().sum()


def test_more_neighbours_are_counted() -> None:
    alone, two, three = (describe_people(people(BOXES[:1] * n))[0, 0, -1] for n in (1, 2, 3))
    assert alone == 0 < two < three
