"""Draws small files whose truth is known: a red corner at the top left, a blue one at the bottom right."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "video"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")

RED, BLUE = (220, 30, 30), (30, 30, 220)
TICK = Fraction(1, 90_000)


def picture(index: int, height: int, width: int) -> np.ndarray:
    """Smooth ramps that move by the frame; the colours at two corners tell which way is up."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = 128 + 100 * np.sin(9 * (rows / height + columns / width) + index / 2)
    image = np.stack([columns * 200 // width + 20, rows * 200 // height + 20, waves], -1).astype(np.uint8)
    image[: height // 4, : width // 4] = RED
    image[-(height // 4) :, -(width // 4) :] = BLUE
    return image


def make_clip(
    path: Path,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = (96, 128),
    frames: int = 12,
    fps: int = 25,
    times: list[float] | None = None,
    tick: Fraction = TICK,
    rotation: int = 0,
    colorspace: int | None = None,
    format: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    draw: Callable[[int, int, int], np.ndarray] = picture,
) -> Path:
    """Writes a clip with PyAV; ``times`` are in seconds, ``rotation`` in degrees counter-clockwise."""
    height, width = size
    with av.open(str(path), "w", format=format, container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = tick if times else Fraction(1, fps)
        stream.options = options or {}
        if colorspace:
            stream.codec_context.colorspace = colorspace
        if rotation:
            stream.set_display_rotation(rotation)
        for index in range(len(times) if times else frames):
            drawn = av.VideoFrame.from_ndarray(draw(index, height, width), format="rgb24")
            frame = drawn.reformat(format=pixels, dst_colorspace=colorspace)
            if colorspace:
                frame.colorspace = colorspace
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(times[index] / tick) if times else index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_sound(path: Path) -> Path:
    """A file that holds sound and no picture."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def average_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference of two pictures of one shape, in levels of 255."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())
