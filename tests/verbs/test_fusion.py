"""A late fusion of joined backbones, from ``train`` through everything that reads its checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars
import pytest

from tests.fakes.videos import write_video
from vidlstm.cli.main import main
from vidlstm.models.fusion import LateFusion
from vidlstm.render.table.action_tables import read_prediction_json
from vidlstm.tasks import open_checkpoint

TRAIN = [
    *("--backbone.name", "squeezenet1_1+squeezenet1_1:motion", "--backbone.weights", "random+random"),
    *("--model.hidden_size", "8", "--model.num_layers", "1", "--model.projection", "8"),
    *("--model.fusion", "late", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
    *("--trainer.enable_progress_bar", "false", "--sampling.workers", "1"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fusion")
    for i in range(8):
        write_video(folder / "clips" / ("a", "b")[i % 2] / f"{i}.mp4", seed=i)
    assert main(["train", "--data.root", str(folder / "clips"), *places(folder, "run"), *TRAIN]) == 0
    return folder


def places(folder: Path, out: str) -> list[str]:
    return ["--out", str(folder / out), "--store", str(folder / "store"), "--device", "cpu"]


def test_the_checkpoint_knows_its_parts(folder: Path) -> None:
    _, opened = open_checkpoint(folder / "run" / "best.ckpt", "action")
    model, card = opened.model, opened.card
    assert isinstance(model, LateFusion)
    assert card.widths == model.widths == [512, 512]
    assert card.model.fusion == "late"
    for stream in model.streams:
        assert stream.norm.mean.any()


def test_predict_evaluate_and_inspect_agree(folder: Path) -> None:
    checkpoint, video = str(folder / "run" / "best.ckpt"), str(folder / "clips" / "a" / "0.mp4")
    assert main(["predict", checkpoint, video, *places(folder, "predicted"), "--video", "false"]) == 0
    predicted = read_prediction_json(folder / "predicted" / "0.json").window_probabilities
    np.testing.assert_allclose(predicted.sum(1), 1.0)
    data = ["--data.root", str(folder / "clips"), "--side", "all"]
    assert main(["evaluate", checkpoint, *data, *places(folder, "evaluated")]) == 0
    assert json.loads((folder / "evaluated" / "report.json").read_text())["clips"] == 8
    assert main(["inspect", "gates", checkpoint, video, *places(folder, "gates")]) == 0
    with np.load(folder / "gates" / "0.gates.npz", allow_pickle=False) as held:
        np.testing.assert_allclose(held["window_probabilities"], predicted, atol=1e-5)
        for stream in ("stream1", "stream2"):
            assert held[f"{stream}.layer1_backward_f"].shape == (*held["attribution"].shape, 8)
    assert sorted(p.name for p in (folder / "gates").glob("*.png")) == [
        "0.stream1.layer1.png",
        "0.stream2.layer1.png",
    ]


def test_every_stream_is_a_line_of_the_gradients(folder: Path) -> None:
    argv = ["inspect", "gradients", str(folder / "run" / "best.ckpt"), "--steps", "10", "--hidden_size", "4"]
    assert main([*argv, *places(folder, "gradients")]) == 0
    networks = set(polars.read_csv(folder / "gradients" / "gradients.csv")["network"])
    assert networks >= {
        f"checkpoint (lstm), stream{n}.{when}" for n in (1, 2) for when in ("trained", "untrained")
    }
