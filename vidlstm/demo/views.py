"""Where the camera stands: from body heights to pixels by a pinhole camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DISTANCE = 5.0  # of the camera from the body, in body heights: limbs near the camera are a little larger


@dataclass(frozen=True)
class View:
    """A camera on one body.

    Attributes:
        turn: which way the body faces, degrees: 0 at the camera, 90 to the right of the picture.
        elevation: how far the camera looks down, degrees.
        tilt: how far the camera is turned about its own axis, degrees.
        size: the body's height as a share of the picture's.
        left, floor: where the body's spot is in the picture, as shares of its width and height.
    """

    turn: float = 0.0
    elevation: float = 8.0
    tilt: float = 0.0
    size: float = 0.68
    left: float = 0.5
    floor: float = 0.9

    def project(self, points: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Projects ``points (N, 3)`` in the body's frame to pixels.

        Returns:
            x, y in pixels ``(N, 2)``; and pixels per body height at each point ``(N,)``, larger when nearer.
        """
        t, e, r = np.radians([self.turn, self.elevation, self.tilt])
        right = points[:, 0] * np.sin(t) + points[:, 2] * np.cos(t)
        near = points[:, 0] * np.cos(t) - points[:, 2] * np.sin(t)
        up = points[:, 1] * np.cos(e) - near * np.sin(e)
        near = points[:, 1] * np.sin(e) + near * np.cos(e)
        scale = self.size * height * _DISTANCE / (_DISTANCE - near)
        x, y = right * scale, -up * scale
        turned = np.stack([x * np.cos(r) - y * np.sin(r), x * np.sin(r) + y * np.cos(r)], axis=1)
        return turned + np.array([self.left * width, self.floor * height]), scale

    def nearness(self, points: np.ndarray) -> np.ndarray:
        """How near each of ``points (N, 3)`` is to the camera, in body heights."""
        t, e = np.radians([self.turn, self.elevation])
        near = points[:, 0] * np.cos(t) - points[:, 2] * np.sin(t)
        return np.asarray(points[:, 1] * np.sin(e) + near * np.cos(e))
