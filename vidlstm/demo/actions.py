"""What the figures do: every action is a pose as a function of its phase.

Sitting down and standing up are one movement: ``stand_up(phase)`` is ``sit_down(1 - phase)``, so the two
differ in nothing but the order of their frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import cos, pi, sin

from vidlstm.demo.poses import Arm, Leg, Pose, blend

ORDER_PAIR = ("sit_down", "stand_up")
"""The two actions that only the order of the frames tells apart."""


def smooth(x: float) -> float:
    """From 0 to 1 with no speed at either end (minimum jerk, Flash and Hogan 1985, eq. 12); clipped."""
    x = min(max(x, 0.0), 1.0)
    return x**3 * (10.0 - 15.0 * x + 6.0 * x * x)


def _wave(phase: float, mean: float, swing: float) -> float:
    return mean + swing * sin(2 * pi * phase)


def walk(phase: float) -> Pose:
    """Walks; one phase is two steps. The path is the clip's business, as its speed is."""

    def leg(at: float) -> Leg:
        thigh = _wave(at, 4.0, 26.0)
        bend = 8.0 + 48.0 * max(0.0, cos(2 * pi * at)) ** 2  # the knee bends while the leg swings forward
        return Leg(thigh=thigh, shin=thigh - bend, spread=1.0)

    def arm(at: float) -> Arm:
        return Arm(forward=_wave(at, 0.0, 34.0), sideways=6.0, elbow=_wave(at, 22.0, 10.0))

    return Pose(
        left_arm=arm(phase + 0.5),
        right_arm=arm(phase),
        left_leg=leg(phase),
        right_leg=leg(phase + 0.5),
        lean=4.0,
        twist=_wave(phase, 0.0, 6.0),
        planted=0.0,
    )


def wave(phase: float) -> Pose:
    """Waves with the right arm; one phase is one swing of the hand."""
    arm = Arm(
        forward=15.0, sideways=_wave(phase, 125.0, 18.0), roll=90.0, elbow=_wave(phase + 0.1, 35.0, 32.0)
    )
    return Pose(right_arm=arm, sway=2.0, nod=-3.0)


def jumping_jack(phase: float) -> Pose:
    """Jumps with legs apart and arms overhead, and back; one phase is there and back."""
    open_ = 0.5 - 0.5 * cos(2 * pi * phase)
    arm = Arm(forward=4.0, sideways=10.0 + 150.0 * open_, elbow=12.0)
    leg = Leg(spread=3.0 + 23.0 * open_, thigh=6.0, shin=-6.0)
    return Pose(arm, arm, leg, leg, hop=0.05 * sin(2 * pi * phase) ** 2)


def punch(phase: float) -> Pose:
    """Boxes: both fists up, left and right strike in turn; one phase is one of each."""

    def arm(out: float) -> Arm:
        return Arm(
            forward=48.0 + 40.0 * out, sideways=12.0 - 8.0 * out, roll=-14.0, elbow=118.0 - 110.0 * out
        )

    left, right = (max(0.0, sin(2 * pi * (phase + shift))) ** 1.5 for shift in (0.0, 0.5))
    legs = Leg(thigh=20.0, shin=-12.0, spread=6.0), Leg(thigh=-8.0, shin=-26.0, spread=8.0)
    return Pose(arm(left), arm(right), *legs, lean=9.0, twist=26.0 * (right - left))


def pick_up(phase: float) -> Pose:
    """Bends down to the floor and comes up again; one phase is there and back."""
    down = smooth(1.4 - 1.3 * abs(2.0 * (phase % 1.0) - 1.0))
    low = Pose(
        left_arm=Arm(forward=88.0, sideways=6.0, elbow=6.0),
        right_arm=Arm(forward=92.0, sideways=4.0, elbow=6.0),
        left_leg=Leg(thigh=20.0, shin=-16.0, spread=7.0),
        right_leg=Leg(thigh=18.0, shin=-14.0, spread=7.0),
        lean=98.0,
        nod=-16.0,
    )
    return blend(Pose(), low, down)


_SEATED = Pose(
    left_arm=Arm(forward=38.0, sideways=8.0, elbow=42.0),
    right_arm=Arm(forward=38.0, sideways=8.0, elbow=42.0),
    left_leg=Leg(thigh=86.0, shin=4.0, spread=6.0),
    right_leg=Leg(thigh=86.0, shin=4.0, spread=6.0),
    lean=-4.0,
)


def sit_down(phase: float) -> Pose:
    """From standing (0) to sitting (1): the trunk leans forward on the way, and the arms reach out."""
    along = smooth(phase)
    pose = blend(Pose(), _SEATED, along)
    halfway = sin(pi * along)
    reach = Arm(forward=26.0 * halfway)
    return replace(
        pose,
        lean=pose.lean + 26.0 * halfway,
        nod=-14.0 * halfway,
        left_arm=pose.left_arm._replace(forward=pose.left_arm.forward + reach.forward),
        right_arm=pose.right_arm._replace(forward=pose.right_arm.forward + reach.forward),
        left_leg=pose.left_leg._replace(shin=pose.left_leg.shin - 22.0 * halfway),
        right_leg=pose.right_leg._replace(shin=pose.right_leg.shin - 22.0 * halfway),
    )


def stand_up(phase: float) -> Pose:
    """From sitting (0) to standing (1): ``sit_down`` backwards."""
    return sit_down(1.0 - phase)


@dataclass(frozen=True)
class Action:
    """One action.

    Attributes:
        pose: its pose at a phase; a cyclic action repeats after each whole phase, another runs from 0 to 1.
        period_seconds: the shortest and the longest time that one phase takes.
        cyclic: whether it repeats.
    """

    pose: Callable[[float], Pose]
    period_seconds: tuple[float, float]
    cyclic: bool = True


ACTIONS: dict[str, Action] = {
    "jumping_jack": Action(jumping_jack, (0.85, 1.2)),
    "pick_up": Action(pick_up, (1.5, 1.9)),
    "punch": Action(punch, (0.75, 1.15)),
    "sit_down": Action(sit_down, (0.8, 1.15), cyclic=False),
    "stand_up": Action(stand_up, (0.8, 1.15), cyclic=False),
    "walk": Action(walk, (0.9, 1.25)),
    "wave": Action(wave, (0.55, 0.85)),
}
