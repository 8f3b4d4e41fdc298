"""Small clips and paths, and what was trained on them for one epoch; the backbone's weights are random."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import vidlstm
from tests.fakes.tracks import make_ethucy
from tests.fakes.videos import write_video
from tests.verbs.runs import train_clips, train_paths
from vidlstm.settings import (
    ActionDataSettings,
    ActionModelSettings,
    BackboneSettings,
    OptimiserSettings,
    SamplingSettings,
)

LABELS = ("a", "b", "c")
BACKBONE = BackboneSettings(name="squeezenet1_1", weights="random", batch_size=8)
SAMPLING = SamplingSettings(workers=1)


def write_csv(file: Path, header: str, rows: Iterable[tuple[Any, ...]]) -> Path:
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([header.split(","), *rows])
    return file


def data(root: Path, annotations: str = "clips.csv", **settings: Any) -> ActionDataSettings:
    settings = {"batch_size": 4, **settings}
    return ActionDataSettings(format="csv", root=root, annotations=root / annotations, **settings)


def train(root: Path, out: Path, *, epochs: int = 1, **settings: Any) -> dict[str, Any]:
    """Trains on the clips outside fold 1, of which one in six is an a."""
    optimiser = OptimiserSettings(**settings.pop("optimiser", {}))
    trainer = {"accelerator": "cpu", "enable_progress_bar": False}
    return vidlstm.train(
        "action",
        data=data(root, **{"fold": 1, **settings.pop("data", {})}),
        out=out,
        max_epochs=epochs,
        store=root / "store",
        backbone=BACKBONE,
        sampling=SAMPLING,
        model=ActionModelSettings(hidden_size=8, projection=8, num_layers=1),
        optimiser=optimiser,
        trainer={**trainer, **settings.pop("trainer", {})},
        **settings,
    )


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("action")
    rows = []
    for i in range(18):
        write_video(root / f"{i}.mp4", frames=5 + i, seed=i)
        rows.append((f"{i}.mp4", LABELS[min(i % 6, 2)], i // 6))
    write_csv(root / "clips.csv", "path,label,fold", rows)
    return root


@pytest.fixture(scope="session")
def trained(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    train(root, out)
    return out


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``data`` with four clips of each of two classes, and ``long.mp4`` with ``truth.csv``."""
    root = tmp_path_factory.mktemp("clips")
    for i in range(8):
        write_video(root / "data" / ("a", "b")[i % 2] / f"{i}.mp4", seed=i)
    write_video(root / "long.mp4", seed=99, frames=60)
    (root / "truth.csv").write_text("start_seconds,end_seconds,label\n0,1.2,a\n1.2,2.4,b\n")
    return root


@pytest.fixture(scope="session")
def ethucy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ethucy(tmp_path_factory.mktemp("ethucy"), count=6)


@pytest.fixture(scope="session")
def classifier(clips: Path) -> Path:
    return train_clips(clips, clips / "run")


@pytest.fixture(scope="session")
def forecaster(ethucy: Path) -> Path:
    return train_paths(ethucy, ethucy / "run")
