"""The room behind a figure: wall, floor, a few things on the wall, a chair. All of it from one number."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vidlstm.demo.poses import Pose, Proportions, joints
from vidlstm.demo.views import View

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Room:
    """A room.

    Attributes:
        wall, floor, chair: RGB.
        backrest: whether the chair has one.
        seed: of everything else in it.
    """

    wall: Colour
    floor: Colour
    chair: Colour
    backrest: bool
    seed: int


def random_room(seed: int) -> Room:
    """The room of a seed: light or dark wall, pale colours, so that the figure stands out."""
    rng = np.random.default_rng([seed, 2])
    light = rng.random() < 0.75
    value = int(rng.integers(165, 235) if light else rng.integers(60, 105))
    wall = _hsv(int(rng.integers(180)), int(rng.integers(8, 60)), value)
    floor = _hsv(
        int(rng.integers(5, 25)),
        int(rng.integers(30, 110)),
        int(np.clip(value * rng.uniform(0.6, 0.85), 45, 200)),
    )
    chair = _hsv(int(rng.integers(180)), int(rng.integers(40, 160)), int(rng.integers(60, 200)))
    return Room(wall, floor, chair, bool(rng.random() < 0.7), seed)


def _hsv(hue: int, saturation: int, value: int) -> Colour:
    r, g, b = cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    return int(r), int(g), int(b)


def draw_room(room: Room, body: Proportions, view: View, height: int, width: int) -> np.ndarray:
    """The empty room with its chair, behind the spot of a body; RGB uint8 ``(H, W, 3)``."""
    rng = np.random.default_rng([room.seed, 3])
    image = np.empty((height, width, 3), np.float32)
    image[:] = room.wall
    image *= np.linspace(0.88, 1.06, height, dtype=np.float32)[:, None, None]
    _pictures(image, rng, room)
    _floor(image, room, view)
    image *= _texture(rng, height, width)[..., None]
    finished = np.clip(image, 0, 255).astype(np.uint8)
    _chair(finished, room, body, view)
    return finished


def _corners(view: View, points: list[tuple[float, float, float]], shape: tuple[int, ...]) -> np.ndarray:
    """Projects points given as (right, up, near) of the picture, whatever way the body faces."""
    facing = View(0.0, view.elevation, view.tilt, view.size, view.left, view.floor)
    pixels, _ = facing.project(np.array([(near, up, right) for right, up, near in points]), *shape[:2])
    return np.asarray(pixels.round().astype(np.int32))


def _floor(image: np.ndarray, room: Room, view: View) -> None:
    back, front, side = -1.1, 2.5, 6.0
    outline = [(-side, 0.0, back), (side, 0.0, back), (side, 0.0, front), (-side, 0.0, front)]
    cv2.fillPoly(image, [_corners(view, outline, image.shape)], room.floor, cv2.LINE_AA)
    dark = [c * 0.88 for c in room.floor]
    for right in np.arange(-4.0, 4.01, 0.45):
        a, b = _corners(view, [(right, 0.0, back), (right, 0.0, front)], image.shape)
        cv2.line(image, a.tolist(), b.tolist(), dark, 1, cv2.LINE_AA)
    skirting = [(-side, 0.0, back), (side, 0.0, back), (side, 0.07, back), (-side, 0.07, back)]
    cv2.fillPoly(image, [_corners(view, skirting, image.shape)], [c * 0.72 for c in room.wall], cv2.LINE_AA)


def _pictures(image: np.ndarray, rng: np.random.Generator, room: Room) -> None:
    """Up to three frames on the wall, in colours near the wall's own."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(0, 3)):
        x, y = rng.uniform(-0.05, 0.85) * width, rng.uniform(0.03, 0.4) * height
        w, h = rng.uniform(0.1, 0.25) * width, rng.uniform(0.12, 0.3) * height
        shade = np.array(room.wall) * rng.uniform(0.8, 1.15) + rng.uniform(-18, 18, 3)
        low, high = (int(x), int(y)), (int(x + w), int(y + h))
        cv2.rectangle(image, low, high, shade.tolist(), -1)
        cv2.rectangle(image, low, high, [c * 0.65 for c in room.wall], max(1, height // 120))


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Soft blotches and grain, a factor near 1 for each pixel ``(H, W)``."""
    blotches = cv2.resize(
        rng.normal(0, 1, (7, 9)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    grain = rng.normal(0, 1, (height, width)).astype(np.float32)
    return np.asarray(1.0 + 0.018 * blotches + 0.012 * grain)


def _chair(image: np.ndarray, room: Room, body: Proportions, view: View) -> None:
    """A chair behind the body's spot, as high as the body needs: so it tells no action from another."""
    seated = joints(Pose(), body)["left_hip"][1] - body.thigh
    seat, back, front, half = seated - 0.045, -body.thigh - 0.13, -0.07, 0.15
    top = [(back, seat, -half), (front, seat, -half), (front, seat, half), (back, seat, half)]
    legs = [((x, 0.0, z), (x, seat, z)) for x, _, z in top]
    order = np.argsort(view.nearness(np.array([leg[0] for leg in legs])), kind="stable")
    lines = [legs[i] for i in order]
    rest = [(back, seat, -half), (back, seat + 0.3, -half), (back, seat + 0.3, half), (back, seat, half)]
    dark: Colour = (int(room.chair[0] * 0.6), int(room.chair[1] * 0.6), int(room.chair[2] * 0.6))
    for a, b in lines:
        pixels, scale = view.project(np.array([a, b]), *image.shape[:2])
        p, q = pixels.round().astype(int).tolist()
        cv2.line(image, p, q, dark, max(2, int(0.03 * scale[0])), cv2.LINE_AA)
    for quad in ([rest] if room.backrest else []) + [top]:
        pixels, _ = view.project(np.array(quad), *image.shape[:2])
        cv2.fillPoly(image, [pixels.round().astype(np.int32)], room.chair, cv2.LINE_AA)
        cv2.polylines(
            image, [pixels.round().astype(np.int32)], True, dark, max(1, image.shape[0] // 160), cv2.LINE_AA
        )
