"""Clips with two things to follow in each, their tables, and classifiers trained on them."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars
import pytest

from tests.fakes.tracked_clips import make_clips, track, write_boxes, write_poses
from tests.fakes.videos import write_video
from tests.verbs.conftest import write_csv
from tests.verbs.objects.runs import CROPS, POSES, one_is_busy, train


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``clips``, the table ``tracks.parquet`` of their boxes, and ``poses.parquet`` with made-up joints."""
    root = tmp_path_factory.mktemp("objects")
    clips, boxes = make_clips(root / "clips")
    track(clips, boxes, root / "tracks.parquet")
    write_poses(root / "poses.parquet", clips, lambda clip, person: clip.parent.name == "a")
    write_poses(root / "one_busy.parquet", clips, one_is_busy)
    return root


@pytest.fixture(scope="session")
def trained(root: Path) -> Path:
    """On crops."""
    return train(root, root / "run", *CROPS)


@pytest.fixture(scope="session")
def posed(root: Path) -> Path:
    """On poses."""
    return train(root, root / "posed", *POSES, tracks="poses.parquet")


@pytest.fixture(scope="session")
def new(root: Path) -> tuple[Path, Path]:
    """A longer video that nothing was trained on, and its boxes: other numbers than ever before."""
    drawn = write_video(root / "new.mp4", frames=40, seed=77)
    return root / "new.mp4", write_boxes(root / "new.txt", drawn, ids=(31, 17))


@pytest.fixture(scope="session")
def per_track(root: Path) -> Path:
    """Both people of every clip, of whom one has busy hands."""
    names = [f"{'ab'[i % 2]}/{i}.mp4" for i in range(8)]
    rows = [
        (name, person, "busy" if one_is_busy(Path(name), person) else "still", i % 4)
        for i, name in enumerate(names)
        for person in (1, 2)
    ]
    return write_csv(root / "clips" / "tracks.csv", "path,track_id,label,fold", rows)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """Clips and a table of their own, as if they had been tracked there, to be spoilt."""
    shutil.copytree(root / "clips", tmp_path / "clips", ignore=shutil.ignore_patterns("*.csv"))
    there = polars.col("video").str.replace(str(root), str(tmp_path), literal=True)
    table = polars.read_parquet(root / "tracks.parquet").with_columns(there)
    table.write_parquet(tmp_path / "tracks.parquet")
    ledger = (root / "tracks.json").read_text()
    (tmp_path / "tracks.json").write_text(ledger.replace(str(root), str(tmp_path)))
    shutil.copytree(root / "store", tmp_path / "store", dirs_exist_ok=True)
    return tmp_path
