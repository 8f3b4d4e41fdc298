"""Figures: a body's proportions and colours, and how it is drawn in a pose.

Limbs are hulls around discs, from far to near, each with a darker outline. Drawn with OpenCV alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from vidlstm.demo.poses import Pose, Proportions, joints
from vidlstm.demo.views import View

Colour = tuple[int, int, int]

_SKINS: tuple[Colour, ...] = ((247, 211, 180), (226, 176, 138), (188, 132, 92), (134, 88, 58), (92, 60, 42))
_HAIRS: tuple[Colour, ...] = ((32, 26, 24), (82, 50, 30), (150, 98, 48), (214, 178, 104), (128, 128, 132))
_EYE: Colour = (30, 26, 30)
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 20)), np.sin(np.linspace(0, 2 * np.pi, 20))], axis=1)


@dataclass(frozen=True)
class Figure:
    """One person, and the number that their room is drawn from.

    Attributes:
        body: lengths in body heights.
        girth: thickness of the limbs; 1 is usual.
        skin, hair, shirt, trousers, shoes: RGB.
        long_sleeves, long_trousers: otherwise the forearms and shins show skin.
        long_hair: hair down to the shoulders.
        seed: of the figure; the room behind it comes from the same number.
    """

    body: Proportions
    girth: float
    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    long_sleeves: bool
    long_trousers: bool
    long_hair: bool
    seed: int


def random_figure(seed: int, wall_brightness: float) -> Figure:
    """The figure of a seed, in clothes that stand out from a wall of ``wall_brightness`` (0 to 255)."""
    rng = np.random.default_rng([seed, 1])
    usual = Proportions()
    legs, arms = rng.uniform(0.93, 1.06), rng.uniform(0.94, 1.08)
    body = replace(
        usual,
        thigh=usual.thigh * legs,
        shin=usual.shin * legs,
        trunk=usual.trunk + (1 - legs) * (usual.thigh + usual.shin),
        upper_arm=usual.upper_arm * arms,
        forearm=usual.forearm * arms,
        head_radius=usual.head_radius * rng.uniform(0.92, 1.2),
        shoulder_half_width=usual.shoulder_half_width * rng.uniform(0.88, 1.12),
    )
    return Figure(
        body=body,
        girth=float(rng.uniform(1.05, 1.4)),
        skin=_skin(rng, wall_brightness),
        hair=_HAIRS[rng.integers(len(_HAIRS))],
        shirt=_cloth(rng, wall_brightness),
        trousers=_cloth(rng, wall_brightness),
        shoes=((40, 38, 42), (225, 225, 220), (150, 40, 40), (60, 60, 110))[rng.integers(4)],
        long_sleeves=bool(rng.random() < 0.25),
        long_trousers=bool(rng.random() < 0.75),
        long_hair=bool(rng.random() < 0.4),
        seed=seed,
    )


def brightness(colour: Colour) -> float:
    """Luma of an RGB colour, 0 to 255 (Rec. 601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def _skin(rng: np.random.Generator, wall_brightness: float) -> Colour:
    """A skin at least 30 levels of brightness from the wall's: a pale arm before a pale wall is not seen."""
    seen = [skin for skin in _SKINS if abs(brightness(skin) - wall_brightness) >= 30]
    return seen[rng.integers(len(seen))]


def _cloth(rng: np.random.Generator, wall_brightness: float) -> Colour:
    """A colour at least 50 levels of brightness from the wall's."""
    while True:
        hsv = np.array([[[rng.integers(180), rng.integers(60, 256), rng.integers(40, 256)]]], np.uint8)
        r, g, b = (int(v) for v in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0])
        if abs(brightness((r, g, b)) - wall_brightness) >= 50:
            return r, g, b


@dataclass
class _Part:
    """A hull around discs at some joints, drawn as a whole."""

    places: tuple[str, ...]
    radii: tuple[float, ...]
    colour: Colour
    lift: float = 0.0  # drawn as though this much nearer to the camera, in body heights
    outline: bool = True


def _parts(figure: Figure) -> list[_Part]:
    g = figure.girth
    forearm = figure.shirt if figure.long_sleeves else figure.skin
    shin = figure.trousers if figure.long_trousers else figure.skin
    body, head = figure.body, figure.body.head_radius
    parts = [
        _Part(("head",), (head,), figure.skin, 0.02),
        _Part(("crown", "nape"), (0.74 * head, 0.66 * head), figure.hair, 0.05),
        _Part(("cheek",), (0.74 * head,), figure.skin, 0.02, outline=False),
        _Part(("left_eye",), (0.12 * head,), _EYE, 0.02, outline=False),
        _Part(("right_eye",), (0.12 * head,), _EYE, 0.02, outline=False),
        _Part(("chest", "neck"), (0.032 * g, 0.030), figure.skin, 0.01),
        _Part(
            ("left_shoulder", "right_shoulder", "left_hip", "right_hip"),
            (0.042 * g, 0.042 * g, 0.048 * g, 0.048 * g),
            figure.shirt,
        ),
        _Part(("left_hip", "right_hip"), (0.050 * g, 0.050 * g), figure.trousers, 0.005),
    ]
    if figure.long_hair:
        parts.append(_Part(("nape", "hair_end"), (0.72 * head, 0.6 * head), figure.hair, 0.0))
    for side in ("left", "right"):
        joint = [f"{side}_{name}" for name in ("shoulder", "elbow", "hand", "hip", "knee", "ankle", "toe")]
        shoulder, elbow, hand, hip, knee, ankle, toe = joint
        parts += [
            _Part((shoulder, elbow), (0.036 * g, 0.030 * g), figure.shirt, 0.015),
            _Part((elbow, hand), (0.028 * g, 0.021 * g), forearm, 0.02),
            _Part((hand,), (0.030,), figure.skin, 0.03),
            _Part((hip, knee), (0.052 * g, 0.038 * g), figure.trousers),
            _Part((knee, ankle), (0.037 * g, 0.027 * g), shin),
            _Part((ankle, toe), (body.ankle, body.ankle * 0.62), figure.shoes, 0.005),
        ]
    return parts


def draw_figure(image: np.ndarray, figure: Figure, pose: Pose, view: View) -> None:
    """Draws ``figure`` in ``pose`` onto ``image``, RGB uint8 ``(H, W, 3)``, in place."""
    at = _with_hair(joints(pose, figure.body), figure)
    names = list(at)
    points = np.stack([at[name] for name in names])
    pixels, scale = view.project(points, *image.shape[:2])
    near = view.nearness(points)
    row = {name: i for i, name in enumerate(names)}
    parts = _parts(figure)
    depth = [float(np.mean([near[row[p]] for p in part.places])) + part.lift for part in parts]
    for i in np.argsort(depth, kind="stable"):
        part = parts[i]
        rows = [row[p] for p in part.places]
        _hull(image, pixels[rows], np.array(part.radii) * scale[rows], part.colour, outline=part.outline)


def _with_hair(at: dict[str, np.ndarray], figure: Figure) -> dict[str, np.ndarray]:
    """Adds the places that the hair and the face are drawn around."""
    radius = figure.body.head_radius
    forward, up, left = _skull(at)
    return at | {
        "crown": at["head"] + radius * (0.38 * up - 0.30 * forward),
        "nape": at["head"] + radius * (0.05 * up - 0.45 * forward),
        "hair_end": at["neck"] - radius * (0.75 * forward + 0.5 * up),
        "cheek": at["head"] + radius * (0.35 * forward - 0.22 * up),
        "left_eye": at["head"] + radius * (0.82 * forward + 0.12 * up + 0.38 * left),
        "right_eye": at["head"] + radius * (0.82 * forward + 0.12 * up - 0.38 * left),
    }


def _skull(at: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors forward, up and left of the head."""
    forward, up = at["face"] - at["head"], at["head"] - at["neck"]
    forward, up = forward / np.linalg.norm(forward), up / np.linalg.norm(up)
    return forward, up, np.cross(up, forward)


_SHIFT = 4  # OpenCV takes fixed-point coordinates: 1/16 of a pixel, so that slow movements do not jump


def _hull(
    image: np.ndarray, centres: np.ndarray, radii: np.ndarray, colour: Colour, *, outline: bool = True
) -> None:
    rim = (centres[:, None] + _CIRCLE * radii[:, None, None]).reshape(-1, 2)
    hull = cv2.convexHull((rim * 2**_SHIFT).round().astype(np.int32))
    cv2.fillConvexPoly(image, hull, colour, cv2.LINE_AA, _SHIFT)
    if outline:
        dark = tuple(int(c * 0.55) for c in colour)
        cv2.polylines(image, [hull], True, dark, max(1, round(image.shape[0] / 240)), cv2.LINE_AA, _SHIFT)
