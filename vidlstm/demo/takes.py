"""A take: one figure doing one action before one camera; everything that is needed to draw it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import cos, radians, sin

import cv2
import numpy as np

from vidlstm.demo.actions import ACTIONS, ORDER_PAIR
from vidlstm.demo.figures import Figure, draw_figure, random_figure
from vidlstm.demo.poses import Pose, mirrored
from vidlstm.demo.rooms import Room, draw_room, random_room
from vidlstm.demo.views import View

_BEHIND = 0.15  # body heights
_STRIDE = 0.58  # body heights walked in one phase, two steps; what the legs' swing covers on the floor


@dataclass(frozen=True)
class Film:
    """What the camera does to a picture.

    Attributes:
        height, width: pixels.
        noise: standard deviation of the pixel noise, grey levels.
        gain: brightness factor.
        seed: of the noise.
    """

    height: int = 256
    width: int = 256
    noise: float = 0.0
    gain: float = 1.0
    seed: int = 0


def motion(action: str, *, start: float, period_seconds: float, times: np.ndarray) -> list[Pose]:
    """The poses of an action at ``times`` (seconds).

    Args:
        action: a name in ``ACTIONS``.
        start: for a cyclic action the phase at time 0, otherwise the time at which the movement begins.
        period_seconds: how long one phase takes.
        times: ``(T,)``.
    """
    what = ACTIONS[action]
    phases = (
        start + times / period_seconds if what.cyclic else np.clip((times - start) / period_seconds, 0, 1)
    )
    return [what.pose(float(phase)) for phase in phases]


def walked(poses: list[Pose], times: np.ndarray, *, period_seconds: float, view: View) -> list[Pose]:
    """Moves walking poses along a straight path, whose middle lies beyond the spot, seen from the camera.

    So the path's near end is in the picture too.
    """
    since = times - times.mean()
    travel = _STRIDE / period_seconds * since - _BEHIND * cos(radians(view.turn))
    aside = _BEHIND * sin(radians(view.turn))
    return [replace(p, travel=float(t), aside=aside) for p, t in zip(poses, travel, strict=True)]


def pictures(figure: Figure, room: Room, poses: list[Pose], view: View, film: Film) -> Iterator[np.ndarray]:
    """Draws one frame per pose: RGB uint8 ``(film.height, film.width, 3)``."""
    empty = draw_room(room, figure.body, view, film.height, film.width)
    rng = np.random.default_rng([film.seed, 4])
    tile = rng.normal(0, film.noise, (film.height + 32, film.width + 32, 3)).round()
    # Two unsigned halves, which OpenCV adds and subtracts without leaving 0 to 255.
    brighter, darker = (half.clip(0, 255).astype(np.uint8) for half in (tile, -tile))
    for pose in poses:
        image = empty.copy()
        _shadow(image, pose, view)
        draw_figure(image, figure, pose, view)
        y, x = rng.integers(0, 32, 2)
        grain = slice(y, y + film.height), slice(x, x + film.width)
        lit = cv2.convertScaleAbs(image, alpha=film.gain)
        yield cv2.subtract(cv2.add(lit, brighter[grain]), darker[grain])


def _shadow(image: np.ndarray, pose: Pose, view: View) -> None:
    """Darkens the floor under the body."""
    spot = np.array([[pose.travel, 0.0, pose.aside]])
    pixels, scale = view.project(spot, *image.shape[:2])
    centre, width = pixels[0].round().astype(int).tolist(), 0.19 * float(scale[0])
    under = image.copy()
    cv2.ellipse(under, centre, (int(width), max(1, int(width / 4))), 0, 0, 360, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.addWeighted(under, 0.28, image, 0.72, 0, dst=image)


@dataclass(frozen=True)
class Take:
    """One clip, before it is drawn.

    Attributes:
        figure, outfit, room: the seeds of the person, the clothes and the room.
        action: a name in ``ACTIONS``.
        seconds, fps: the clip has ``round(seconds * fps)`` frames.
        start, period_seconds: see ``motion``.
        left_handed: left and right exchanged.
        view, film: the camera.
    """

    figure: int
    outfit: int
    room: int
    action: str
    seconds: float
    fps: float
    start: float
    period_seconds: float
    left_handed: bool
    view: View
    film: Film

    def poses(self) -> list[Pose]:
        """The pose of every frame; those of ``stand_up`` are those of ``sit_down`` backwards."""
        forwards, backwards = ORDER_PAIR
        if self.action == backwards:
            return replace(self, action=forwards).poses()[::-1]
        times = np.arange(round(self.seconds * self.fps)) / self.fps
        poses = motion(self.action, start=self.start, period_seconds=self.period_seconds, times=times)
        if self.action == "walk":
            poses = walked(poses, times, period_seconds=self.period_seconds, view=self.view)
        return [mirrored(pose) for pose in poses] if self.left_handed and self.action != "walk" else poses

    def frames(self) -> list[np.ndarray]:
        """The frames, RGB uint8; those of ``stand_up`` are those of ``sit_down`` backwards, noise and all."""
        forwards, backwards = ORDER_PAIR
        if self.action == backwards:
            return replace(self, action=forwards).frames()[::-1]
        figure = random_figure(self.figure, self.outfit)
        room = random_room(self.room, figure.skin)
        return list(pictures(figure, room, self.poses(), self.view, self.film))


def random_view(rng: np.random.Generator) -> View:
    """A camera somewhere in front of the body, from its right side to its left."""
    return View(
        turn=float(rng.choice([-1, 1]) * rng.uniform(22, 55)),
        elevation=float(rng.uniform(3, 14)),
        tilt=float(rng.uniform(-3, 3)),
        size=float(rng.uniform(0.72, 0.82)),
        left=float(rng.uniform(0.42, 0.58)),
        floor=float(rng.uniform(0.9, 0.95)),
    )


def random_take(seed: int, figure: int, action: str, number: int, *, fps: float = 10.0) -> Take:
    """The take of a seed. Both actions of the order pair are given the same numbers."""
    drawn_from = ORDER_PAIR[0] if action in ORDER_PAIR else action
    rng = np.random.default_rng([seed, figure, sorted(ACTIONS).index(drawn_from), number, 5])
    what = ACTIONS[action]
    period = float(rng.uniform(*what.period_seconds))
    seconds = float(rng.uniform(1.7, 2.05))
    return Take(
        figure=figure,
        outfit=int(rng.integers(2**31)),
        room=int(rng.integers(2**31)),
        action=action,
        seconds=seconds,
        fps=fps,
        start=float(rng.random() if what.cyclic else rng.uniform(0.15, seconds - period - 0.3)),
        period_seconds=period,
        left_handed=bool(rng.random() < 0.5),
        view=random_view(rng),
        film=Film(
            noise=float(rng.uniform(1, 4)), gain=float(rng.uniform(0.92, 1.06)), seed=int(rng.integers(2**31))
        ),
    )
