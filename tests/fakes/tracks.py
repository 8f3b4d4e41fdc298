"""Small track files whose truth is known: straight walkers, circlers, boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars

STEP = 10


def walkers(
    count: int, steps: int, *, seed: int = 0, noise: float = 0.0
) -> list[tuple[int, int, float, float]]:
    """Rows (frame, id, x, y): each walks at a speed of its own; half of them turn at a steady rate."""
    rng = np.random.default_rng(seed)
    rows = []
    for walker in range(count):
        place, angle = rng.uniform(-5, 5, 2), rng.uniform(0, 2 * np.pi)
        speed, turn = rng.uniform(0.3, 0.7), rng.choice([-0.08, 0.0, 0.0, 0.08])
        for step in range(steps):
            x, y = place + rng.normal(0, noise, 2) if noise else place
            rows.append(((walker % 5 + step) * STEP, walker + 1, float(x), float(y)))
            place = place + speed * np.array([np.cos(angle), np.sin(angle)])
            angle += turn
    return sorted(rows)


def write_ethucy(path: Path, rows: list[tuple[int, int, float, float]]) -> Path:
    """One file in the layout of the Social-GAN split."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{f}.0\t{i}.0\t{x!r}\t{y!r}\n" for f, i, x, y in rows), encoding="utf-8")
    return path


def make_ethucy(root: Path, *, count: int = 12, steps: int = 24) -> Path:
    """A whole dataset with the real folder and file names; each file has ``count`` tracks of ``steps``."""
    files = {"train": ["crowds_zara02_train", "students001_train"], "val": ["crowds_zara02_val"]}
    for scene, test in (("zara1", "crowds_zara01"), ("eth", "biwi_eth")):
        for number, (side, name) in enumerate(
            [(s, n) for s, names in files.items() for n in names] + [("test", test)]
        ):
            write_ethucy(root / scene / side / f"{name}.txt", walkers(count, steps, seed=number))
    return root


def write_trajnet(path: Path, rows: list[tuple[int, int, float, float]]) -> Path:
    """One TrajNet++ file: a scene, the tracks, and somebody's prediction, which is no observation."""
    scene = {
        "scene": {"id": 0, "p": rows[0][1], "s": rows[0][0], "e": rows[-1][0], "fps": 2.5, "tag": [2, []]}
    }
    lines = [scene] + [{"track": {"f": f, "p": i, "x": x, "y": y}} for f, i, x, y in rows]
    lines.append({"track": {"f": 0, "p": rows[0][1], "x": 9, "y": 9, "prediction_number": 0, "scene_id": 0}})
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return path


def write_mot(root: Path, *, fps: float = 25.0) -> Path:
    """One MOTChallenge sequence with two objects of three frames; a third is flagged not to be considered."""
    gt = root / "gt" / "gt.txt"
    gt.parent.mkdir(parents=True)
    (root / "seqinfo.ini").write_text(f"[Sequence]\nname=x\nframeRate={fps:g}\n", encoding="utf-8")
    rows = [f"{f},{i},{10 * f},{20 * i},4,8,1,1,1.0" for i in (1, 2) for f in (1, 2, 3)]
    gt.write_text("\n".join([*rows, "1,3,0,0,5,5,0,1,1.0"]) + "\n", encoding="utf-8")
    return gt


def write_tracks(
    path: Path, *, videos: int = 1, tracks: int = 3, frames: int = 40, fps: float = 10.0
) -> Path:
    """Our own table: boxes of 20 x 40 pixels that move right by 3 pixels a frame."""
    rows = [
        {
            "video": f"v{v}.mp4",
            "frame": f,
            "timestamp_seconds": 1.5 + f / fps,
            "track_id": t,
            "class": "person",
            "confidence": 0.9,
            "x1": 3.0 * f + v,
            "y1": 50.0 * t,
            "x2": 3.0 * f + v + 20,
            "y2": 50.0 * t + 40 + (f % 2) * 0.25,
        }
        for v in range(videos)
        for f in range(frames)
        for t in range(tracks)
    ]
    polars.DataFrame(rows).write_parquet(path)
    return path


def write_crossing(
    path: Path, *, tracks: int = 12, frames: int = 80, fps: float = 10.0, seed: int = 0
) -> Path:
    """Our own table: boxes that cross each other's ways, come, go, and are not seen for a while."""
    rng = np.random.default_rng(seed)
    rows = []
    for track in range(1, tracks + 1):
        start, stop = sorted(rng.integers(0, frames + 1, 2))
        start, stop = (start, stop) if stop - start > 25 else (0, frames)
        place, pace = rng.uniform([60, 60], [260, 180]), rng.uniform(-3, 3, 2)
        height = float(rng.uniform(20, 60))
        hidden = rng.integers(start, stop) if track % 3 == 0 else -1
        for frame in range(start, stop):
            x, y = place + (frame - start) * pace
            if not hidden <= frame < hidden + 3 * (track // 3):
                rows.append((frame, track, x - height / 4, y - height / 2, x + height / 4, y + height / 2))
    table = polars.DataFrame(rows, schema=["frame", "track_id", "x1", "y1", "x2", "y2"], orient="row")
    table.with_columns(
        polars.lit("v.mp4").alias("video"),
        (polars.col("frame") / fps).alias("timestamp_seconds"),
        polars.lit("person").alias("class"),
        polars.lit(0.9).alias("confidence"),
    ).sort("frame").write_parquet(path)
    return path
