"""Small real MP4 files: one coloured disc that moves and one square that stays, where and when known."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

COLOURS = ((220, 60, 50), (60, 190, 80), (70, 90, 220), (230, 200, 60), (190, 70, 190), (70, 200, 210))
"""Far enough from each other and from the background to be told apart after H.264."""


@dataclass(frozen=True, eq=False)
class DrawnVideo:
    """What was drawn, before it was encoded.

    Attributes:
        images: ``(T, H, W, 3)`` uint8 RGB.
        centres_pixels: ``(T, 2)`` the disc's x and y.
        radius_pixels: of the disc.
        disc_colour, square_colour: RGB.
        square_pixels: x1, y1, x2, y2 of the square, end excluded.
        timestamps_seconds: ``(T,)``.
    """

    images: np.ndarray
    centres_pixels: np.ndarray
    radius_pixels: float
    disc_colour: tuple[int, int, int]
    square_colour: tuple[int, int, int]
    square_pixels: tuple[int, int, int, int]
    timestamps_seconds: np.ndarray


def draw(*, frames: int, height: int, width: int, fps: float, seed: int) -> DrawnVideo:
    """Draws a disc that bounces inside the picture over a square, on a dark background.

    A seed gives the same pictures everywhere. The disc moves between 2 % and 5 % of the short side per
    frame, so no two neighbouring frames are equal.
    """
    rng = np.random.default_rng(seed)
    short = min(height, width)
    radius = short / 8
    room = np.array([width, height]) - 2 * radius
    angle, speed = rng.uniform(0.2, 1.3), rng.uniform(0.02, 0.05) * short
    travelled = rng.uniform(0, 1, 2) * room + np.arange(frames)[:, None] * speed * np.array(
        [np.cos(angle), np.sin(angle)]
    )
    centres = radius + room - np.abs(travelled % (2 * room) - room)  # there and back again
    disc, square = rng.choice(len(COLOURS), 2, replace=False)
    side = short // 4
    x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
    images = np.full((frames, height, width, 3), 24, np.uint8)
    images[:, y : y + side, x : x + side] = COLOURS[square]
    rows, columns = np.mgrid[:height, :width] + 0.5
    for image, (centre_x, centre_y) in zip(images, centres, strict=True):
        image[(columns - centre_x) ** 2 + (rows - centre_y) ** 2 < radius**2] = COLOURS[disc]
    times = np.arange(frames) / fps
    return DrawnVideo(
        images, centres, radius, COLOURS[disc], COLOURS[square], (x, y, x + side, y + side), times
    )


def write_video(
    path: Path, *, frames: int = 12, height: int = 64, width: int = 96, fps: float = 10.0, seed: int = 0
) -> DrawnVideo:
    """Draws a video and encodes it to H.264 in a file; straight through PyAV, so that it can test our writer.

    A seed gives the same pictures, but not always the same bytes: x264 does not promise that.

    Args:
        path: the file; its folder is made.
        frames: how many.
        height, width: even numbers of pixels.
        fps: frames per second, steady.
        seed: of the drawing.

    Returns:
        The truth.
    """
    drawn = draw(frames=frames, height=height, width=width, fps=fps, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.thread_count = 1  # so small a picture is encoded faster without a pool of threads
        for index, image in enumerate(drawn.images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return drawn
