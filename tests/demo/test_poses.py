"""The body: angles to joints, by cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.demo.actions import ACTIONS
from vidlstm.demo.poses import Arm, Leg, Pose, Proportions, blend, joints, mirrored

BODY = Proportions()
BONES = {
    ("left_shoulder", "left_elbow"): BODY.upper_arm,
    ("right_elbow", "right_hand"): BODY.forearm,
    ("left_hip", "left_knee"): BODY.thigh,
    ("right_knee", "right_ankle"): BODY.shin,
    ("hips", "chest"): BODY.trunk,
}


def test_a_standing_body_is_about_one_body_height_tall() -> None:
    at = joints(Pose(), BODY)
    assert at["head"][1] + BODY.head_radius == pytest.approx(1.0, abs=0.03)
    assert at["left_ankle"][1] == pytest.approx(BODY.ankle)


def test_arms_go_where_their_angles_say() -> None:
    ahead = joints(Pose(left_arm=Arm(forward=90, sideways=0, elbow=0)), BODY)
    reach = ahead["left_hand"] - ahead["left_shoulder"]
    np.testing.assert_allclose(reach, [BODY.upper_arm + BODY.forearm, 0, 0], atol=1e-9)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        out = joints(Pose(**{f"{side}_arm": Arm(forward=0, sideways=90, elbow=0)}), BODY)
        reach = out[f"{side}_hand"] - out[f"{side}_shoulder"]
        np.testing.assert_allclose(reach, [0, 0, sign * (BODY.upper_arm + BODY.forearm)], atol=1e-9)
        up = joints(Pose(**{f"{side}_arm": Arm(forward=0, sideways=90, roll=90, elbow=90)}), BODY)
        np.testing.assert_allclose(up[f"{side}_hand"] - up[f"{side}_elbow"], [0, BODY.forearm, 0], atol=1e-9)


def test_a_seated_body_has_level_thighs_and_feet_where_it_stood() -> None:
    seated = joints(ACTIONS["sit_down"].pose(1.0), BODY)
    standing = joints(ACTIONS["sit_down"].pose(0.0), BODY)
    assert seated["left_hip"][1] == pytest.approx(seated["left_knee"][1], abs=0.05)
    assert seated["hips"][0] < standing["hips"][0] - 0.15
    for ankle in ("left_ankle", "right_ankle"):
        assert seated[ankle][0] == pytest.approx(standing[ankle][0], abs=1e-9)


@given(phase=st.floats(-3, 3), action=st.sampled_from(sorted(ACTIONS)))
def test_no_action_stretches_a_bone_or_leaves_the_floor_downwards(phase: float, action: str) -> None:
    at = joints(ACTIONS[action].pose(phase), BODY)
    for (a, b), length in BONES.items():
        assert np.linalg.norm(at[a] - at[b]) == pytest.approx(length)
    assert min(at["left_ankle"][1], at["right_ankle"][1]) >= BODY.ankle - 1e-9


@given(phase=st.floats(0, 1), action=st.sampled_from(sorted(ACTIONS)))
def test_mirroring_exchanges_left_and_right(phase: float, action: str) -> None:
    pose = ACTIONS[action].pose(phase)
    plain, mirror = joints(pose, BODY), joints(mirrored(pose), BODY)
    flip = np.array([1.0, 1.0, -1.0])
    np.testing.assert_allclose(plain["left_hand"] * flip, mirror["right_hand"], atol=1e-9)
    np.testing.assert_allclose(plain["right_knee"] * flip, mirror["left_knee"], atol=1e-9)
    assert mirrored(mirrored(pose)) == pose


def test_blending_meets_both_ends_and_the_middle() -> None:
    a, b = Pose(), Pose(lean=40.0, left_leg=Leg(thigh=60.0))
    assert blend(a, b, 0.0) == a
    assert blend(a, b, 1.0) == b
    assert blend(a, b, 0.5).lean == 20.0
    assert blend(a, b, 0.5).left_leg.thigh == 30.0


@given(phase=st.floats(-2, 2), action=st.sampled_from([n for n, a in ACTIONS.items() if a.cyclic]))
def test_cyclic_actions_repeat(phase: float, action: str) -> None:
    pose = ACTIONS[action].pose
    once, again = joints(pose(phase), BODY), joints(pose(phase + 1), BODY)
    for name, place in once.items():
        np.testing.assert_allclose(place, again[name], atol=1e-6)
