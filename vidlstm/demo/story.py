"""Draws one longer video in which a figure that no clip shows does every action in turn.

The film has three shots, each from its own camera. Between shots it cuts; within a shot one action flows
into the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidlstm.demo.actions import ACTIONS, smooth
from vidlstm.demo.clips import figure_seed
from vidlstm.demo.figures import random_figure
from vidlstm.demo.poses import Pose, blend
from vidlstm.demo.rooms import random_room
from vidlstm.demo.takes import Film, motion, pictures, random_view, walked
from vidlstm.demo.views import View
from vidlstm.files import write_csv
from vidlstm.structures import Segment
from vidlstm.video.writer import VideoWriter

SHOTS = (("walk",), ("wave", "sit_down", "stand_up", "punch"), ("jumping_jack", "pick_up"))
"""The actions of the film, shot by shot: each of ``ACTIONS`` once."""

_UNITS = (("wave",), ("sit_down", "stand_up"), ("punch",), ("jumping_jack",), ("pick_up",))
"""What other films show in another order: whoever has sat down stands up next."""

_FIGURE = 999  # beyond any figure of the clips
_FLOW_SECONDS = 0.35  # how long one action takes to flow into the next


@dataclass(frozen=True)
class _Scene:
    """One action in the film: when, and how fast."""

    action: str
    start_seconds: float
    seconds: float
    period_seconds: float

    def poses(self, times: np.ndarray, view: View) -> list[Pose]:
        """The poses at ``times``, in seconds of the film."""
        since = times - self.start_seconds
        start = 0.0 if ACTIONS[self.action].cyclic else (self.seconds - self.period_seconds) / 2
        poses = motion(self.action, start=start, period_seconds=self.period_seconds, times=since)
        if self.action == "walk":
            poses = walked(poses, since, period_seconds=self.period_seconds, view=view)
        return poses


def draw_story(
    out: Path,
    *,
    seed: int = 0,
    number: int = 0,
    seconds_per_action: float = 4.4,
    fps: float = 20.0,
    height: int = 256,
    width: int = 256,
) -> tuple[Path, list[Segment]]:
    """Draws ``out/story.mp4`` and its truth, ``out/story_truth.csv`` (start_seconds, end_seconds, label).

    Args:
        out: the folder.
        seed: of the clips that this film goes with; its figure is in none of them.
        number: above 0 another film, ``out/story_<number>.mp4``, of another figure, with the actions in
            another order.
        seconds_per_action: about how long each repeated action lasts; walking, sitting down and
            standing up are shorter.
        fps: frames per second.
        height, width: pixels.

    Returns:
        The video, and its true segments in order, without gaps.

    Raises:
        VideoError: it cannot be written.
    """
    rng = np.random.default_rng([seed, 7, number] if number else [seed, 7])
    order = _other_order(rng) if number else SHOTS
    shots = _plan(rng, order, seconds_per_action, fps)
    film = Film(height, width, noise=3.0, seed=seed)
    path = out / (f"story_{number}.mp4" if number else "story.mp4")
    with VideoWriter(path, fps=fps, height=height, width=width) as writer:
        for image in _frames(shots, film, fps, rng, figure_seed(seed, _FIGURE + number)):
            writer.write(image)
    truth = [
        Segment(scene.start_seconds, scene.start_seconds + scene.seconds, scene.action, 1.0)
        for shot in shots
        for scene in shot
    ]
    rows = [(f"{s.start_seconds:.3f}", f"{s.end_seconds:.3f}", s.label) for s in truth]
    write_csv(("start_seconds", "end_seconds", "label"), rows, path.with_name(f"{path.stem}_truth.csv"))
    return path, truth


def _other_order(rng: np.random.Generator) -> list[tuple[str, ...]]:
    """The actions in a random order, cut into two shots, and the walk, which has a shot of its own."""
    units = [_UNITS[i] for i in rng.permutation(len(_UNITS))]
    cut = int(rng.integers(1, len(units)))
    shots: list[tuple[str, ...]] = [sum(part, ()) for part in (units[:cut], units[cut:])]
    shots.insert(int(rng.integers(0, 3)), ("walk",))
    return shots


def _plan(
    rng: np.random.Generator, order: Sequence[Sequence[str]], seconds_per_action: float, fps: float
) -> list[list[_Scene]]:
    at, shots = 0, []
    for actions in order:
        shot = []
        for action in actions:
            seconds, period = _timing(rng, action, seconds_per_action)
            frames = round(seconds * fps)
            shot.append(_Scene(action, at / fps, frames / fps, period))
            at += frames
        shots.append(shot)
    return shots


def _timing(rng: np.random.Generator, action: str, seconds_per_action: float) -> tuple[float, float]:
    """How long an action lasts in the film, and how long one phase of it."""
    shortest, longest = ACTIONS[action].period_seconds
    period = float(rng.uniform(shortest, longest))
    if action == "walk":  # slowly and not for long: the path must fit into the picture
        return 0.75 * seconds_per_action, longest
    if not ACTIONS[action].cyclic:  # as in the clips, most of the time is movement: a pause has no name
        return period + 1.3, period
    return seconds_per_action * float(rng.uniform(0.9, 1.1)), period


def _frames(
    shots: list[list[_Scene]], film: Film, fps: float, rng: np.random.Generator, figure_number: int
) -> Iterator[np.ndarray]:
    figure = random_figure(figure_number, figure_number)
    room = random_room(figure_number, figure.skin)
    for shot in shots:
        view = random_view(rng)
        if shot[0].action == "walk":
            view = replace(view, turn=float(np.copysign(42.0, view.turn)), left=0.5)
        yield from pictures(figure, room, _shot_poses(shot, view, fps), view, film)


def _shot_poses(shot: list[_Scene], view: View, fps: float) -> list[Pose]:
    poses: list[Pose] = []
    before: _Scene | None = None
    for scene in shot:
        times = scene.start_seconds + np.arange(round(scene.seconds * fps)) / fps
        here = scene.poses(times, view)
        if before is not None:
            flow = [smooth((t - scene.start_seconds) / _FLOW_SECONDS) for t in times]
            here = [
                blend(p, q, amount)
                for p, q, amount in zip(before.poses(times, view), here, flow, strict=True)
            ]
        poses += here
        before = scene
    return poses
