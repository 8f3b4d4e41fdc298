"""Predictions whose every value is known, with friendly and with hostile labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vidlstm.structures import ActionPrediction, Frame, ObjectActions, Segment

HOSTILE = (
    "$\\frac{a}$ costs $5",
    "[bold red]markup[/bold red] [/]",
    "<script>alert('x')</script>",
    "日本語 и кириллица 🤸",
    "a,b\"c;\n'd'\ttab",
    "",
    "_underscore",
    "%s %d {0} \\n",
    "long " * 200,
    "\u202eright-to-left override \x00 nul",
)


def labels(count: int) -> tuple[str, ...]:
    return tuple(f"class_{i}" for i in range(count))


def prediction(
    names: tuple[str, ...] = ("sit_down", "stand_up", "walk"),
    *,
    windows: int = 8,
    start: float = 0.0,
    seed: int = 0,
    video: str = "videos/clip.avi",
) -> ActionPrediction:
    """Windows of 2 s every half second, and three segments of the first, last and first class."""
    rng = np.random.default_rng(seed)
    starts = start + 0.5 * np.arange(windows)
    end = float(starts[-1] + 2.0) if windows else start
    edges = np.linspace(start, end, 4)
    parts = [(edges[0], edges[1], names[0]), (edges[1], edges[2], names[-1]), (edges[2], edges[3], names[0])]
    return ActionPrediction(
        video=video,
        labels=names,
        window_start_seconds=starts,
        window_end_seconds=starts + 2.0,
        window_probabilities=rng.dirichlet(np.ones(len(names)), windows).reshape(windows, len(names)),
        segments=tuple(Segment(float(a), float(b), name, 0.75) for a, b, name in parts) if windows else (),
        produced_by={"checkpoint": "run/best.ckpt", "fps": 10.0, "backbone": {"name": "mobilenet_v2"}},
        truncated="invalid data",
    )


def frames(
    count: int, *, height: int = 96, width: int = 128, fps: float = 10.0, start: float = 0.0
) -> Iterator[Frame]:
    """Frames of one grey each, a little lighter every time."""
    for i in range(count):
        yield Frame(np.full((height, width, 3), 40 + 3 * i, np.uint8), start + i / fps, i)


def same(a: ActionPrediction, b: ActionPrediction) -> bool:
    arrays = ("window_start_seconds", "window_end_seconds", "window_probabilities")
    others = ("video", "labels", "segments", "produced_by", "truncated")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in arrays) and all(
        getattr(a, n) == getattr(b, n) for n in others
    )


def object_actions(
    names: tuple[str, ...] = ("sit_down", "stand_up", "walk"),
    *,
    tracks: int = 3,
    windows: int = 8,
    start: float = 0.0,
    scene: bool = True,
) -> ObjectActions:
    """Tracks 0, 1, ... that are all there all the time, attention at random, and one track too short."""
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(max(tracks, 1)), windows).reshape(windows, max(tracks, 1))
    return ObjectActions(
        video="videos/clip.avi",
        labels=names,
        scene=prediction(names, windows=windows if scene else 0, start=start),
        tracks={t: prediction(names, windows=windows, start=start, seed=t + 1) for t in range(tracks)},
        attention={t: shares[:, t] for t in range(tracks)},
        short_tracks={1000: 0.4},
    )


def same_actions(a: ObjectActions, b: ObjectActions) -> bool:
    return (
        same(a.scene, b.scene)
        and (a.video, a.labels, a.short_tracks) == (b.video, b.labels, b.short_tracks)
        and a.tracks.keys() == b.tracks.keys()
        and all(same(a.tracks[t], b.tracks[t]) for t in a.tracks)
        and all(np.array_equal(a.attention[t], b.attention[t]) for t in a.tracks)
    )
