"""A pose: the joint angles of a body, and the positions of its joints that follow from them.

Angles are degrees, and zero everywhere is a person standing straight with hanging arms. Positions are in
body heights, in the body's own frame: x forward, y up, z to the body's left. Nothing here knows of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np


class Arm(NamedTuple):
    """Shoulder and elbow: raised forward, raised sideways, upper arm rolled outward, elbow bent."""

    forward: float = 2.0
    sideways: float = 7.0
    roll: float = 0.0
    elbow: float = 10.0


class Leg(NamedTuple):
    """Thigh and shin, each from the vertical (forward is positive), and how far the leg is spread."""

    thigh: float = 0.0
    shin: float = 0.0
    spread: float = 3.0


_ARM, _LEG = Arm(), Leg()


@dataclass(frozen=True)
class Pose:
    """The joint angles of a whole body.

    Attributes:
        lean, sway, twist: the trunk bends forward, bends to its left, turns to its left.
        nod: the head bends forward, on top of the trunk's lean.
        hop: height of the lower foot above the floor, in body heights.
        travel, aside: where the body stands, forward and to its left of its spot, in body heights.
        planted: 1 keeps the feet on the spot (sitting down), 0 keeps the hips there (walking).
    """

    left_arm: Arm = _ARM
    right_arm: Arm = _ARM
    left_leg: Leg = _LEG
    right_leg: Leg = _LEG
    lean: float = 0.0
    sway: float = 0.0
    twist: float = 0.0
    nod: float = 0.0
    hop: float = 0.0
    travel: float = 0.0
    aside: float = 0.0
    planted: float = 1.0


def blend(a: Pose, b: Pose, amount: float) -> Pose:
    """The pose ``amount`` of the way from ``a`` (0) to ``b`` (1); every angle goes straight."""

    def mix(x: float, y: float) -> float:
        return x + (y - x) * amount

    values: dict[str, Any] = {}
    for field in fields(Pose):
        x, y = getattr(a, field.name), getattr(b, field.name)
        values[field.name] = type(x)(*map(mix, x, y)) if isinstance(x, (Arm, Leg)) else mix(x, y)
    return Pose(**values)


def mirrored(pose: Pose) -> Pose:
    """The same pose with left and right exchanged."""
    return Pose(
        left_arm=pose.right_arm,
        right_arm=pose.left_arm,
        left_leg=pose.right_leg,
        right_leg=pose.left_leg,
        lean=pose.lean,
        sway=-pose.sway,
        twist=-pose.twist,
        nod=pose.nod,
        hop=pose.hop,
        travel=pose.travel,
        aside=-pose.aside,
        planted=pose.planted,
    )


@dataclass(frozen=True)
class Proportions:
    """Lengths of a body's parts, in body heights."""

    thigh: float = 0.245
    shin: float = 0.235
    ankle: float = 0.035
    trunk: float = 0.30
    neck: float = 0.045
    head_radius: float = 0.075
    upper_arm: float = 0.165
    forearm: float = 0.165
    foot: float = 0.12
    shoulder_half_width: float = 0.105
    hip_half_width: float = 0.06


def _pitch(degrees: float) -> np.ndarray:
    """Turns up towards forward."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def _roll(degrees: float) -> np.ndarray:
    """Turns up towards the left."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _turn(degrees: float) -> np.ndarray:
    """Turns forward towards the left."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


_DOWN = np.array([0.0, -1.0, 0.0])


def joints(pose: Pose, body: Proportions) -> dict[str, np.ndarray]:
    """The position ``(3,)`` of every joint, the lower foot ``pose.hop`` above the floor (y = 0).

    Returns:
        hips, chest, neck, head, face (the tip of the nose), and for each side shoulder, elbow, hand, hip,
        knee, ankle, toe, named as in ``left_knee``.
    """
    at = {"hips": np.zeros(3)}
    trunk = _turn(pose.twist) @ _roll(pose.sway) @ _pitch(pose.lean)
    at["chest"] = trunk @ np.array([0.0, body.trunk, 0.0])
    skull = trunk @ _pitch(pose.nod)
    at["neck"] = at["chest"] + skull @ np.array([0.0, body.neck, 0.0])
    at["head"] = at["neck"] + skull @ np.array([0.01, body.head_radius * 0.9, 0.0])
    at["face"] = at["head"] + skull @ np.array([body.head_radius, 0.0, 0.0])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at |= _arm(side, sign, getattr(pose, f"{side}_arm"), trunk, body)
        at |= _leg(
            side, sign, getattr(pose, f"{side}_leg"), _turn(pose.twist * 0.3), body, 1.0 - pose.planted
        )
    return _stood(at, pose, body)


def _arm(side: str, sign: float, arm: Arm, trunk: np.ndarray, body: Proportions) -> dict[str, np.ndarray]:
    shoulder = trunk @ np.array([0.0, body.trunk * 0.93, sign * body.shoulder_half_width])
    frame = trunk @ _roll(-sign * arm.sideways) @ _pitch(-arm.forward) @ _turn(sign * arm.roll)
    elbow = shoulder + frame @ _DOWN * body.upper_arm
    hand = elbow + frame @ _pitch(-arm.elbow) @ _DOWN * body.forearm
    return {f"{side}_shoulder": shoulder, f"{side}_elbow": elbow, f"{side}_hand": hand}


def _leg(
    side: str, sign: float, leg: Leg, pelvis: np.ndarray, body: Proportions, stepping: float
) -> dict[str, np.ndarray]:
    hip = pelvis @ np.array([0.0, 0.0, sign * body.hip_half_width])
    frame = pelvis @ _roll(-sign * leg.spread)
    knee = hip + frame @ _pitch(-leg.thigh) @ _DOWN * body.thigh
    ankle = knee + frame @ _pitch(-leg.shin) @ _DOWN * body.shin
    # A planted foot lies flat; a stepping one turns with its shin, so that the heel lifts behind the body.
    toe = ankle + pelvis @ _pitch(-0.6 * leg.shin * stepping) @ np.array([body.foot, -body.ankle * 0.4, 0.0])
    return {f"{side}_hip": hip, f"{side}_knee": knee, f"{side}_ankle": ankle, f"{side}_toe": toe}


def _stood(at: dict[str, np.ndarray], pose: Pose, body: Proportions) -> dict[str, np.ndarray]:
    feet = (at["left_ankle"] + at["right_ankle"]) / 2
    lowest = min(at["left_ankle"][1], at["right_ankle"][1])
    move = np.array(
        [
            pose.travel - pose.planted * feet[0],
            pose.hop + body.ankle - lowest,
            pose.aside - pose.planted * feet[2],
        ]
    )
    return {name: place + move for name, place in at.items()}
