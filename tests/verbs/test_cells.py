"""Every cell by one flag: trained on the command line for both tasks, saved, read back, and looked into."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from tests.verbs.runs import train_clips, train_paths
from vidlstm.cards import read_checkpoint
from vidlstm.cli.main import main
from vidlstm.models.cells import CELLS
from vidlstm.tasks import open_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_CELL = pytest.mark.parametrize("cell", CELLS)
KEEPING = [cell for cell, equations in CELLS.items() if equations.keep_gate]
TRAIN = {"action": train_clips, "trajectory": train_paths}


@pytest.fixture(scope="module")
def trained(clips: Path, ethucy: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A checkpoint by task, cell and more flags; each is trained once."""
    data = {"action": clips, "trajectory": ethucy}

    @cache
    def of(task: str, cell: str, *flags: str) -> Path:
        return TRAIN[task](data[task], tmp_path_factory.mktemp(cell), "--model.cell", cell, *flags)

    return of


def model_of(path: Path) -> Any:
    return open_checkpoint(path)[1].model


def assert_holds(model: torch.nn.Module, path: Path) -> None:
    """The model read back has every weight of the file."""
    held = read_checkpoint(path).weights
    assert held.keys() == model.state_dict().keys()
    torch.testing.assert_close(model.state_dict(), held, rtol=0, atol=0)


@EVERY_CELL
def test_every_cell_classifies_and_comes_back(cell: str, trained: Callable[..., Path]) -> None:
    path = trained("action", cell)
    task, opened = open_checkpoint(path, "action")
    model: Any = opened.model
    assert (task.name, opened.card.model.cell) == ("action", cell)
    assert isinstance(model.encoder.stack.cell, CELLS[cell])
    assert not model.training
    assert_holds(model, path)
    x_BTF = torch.randn(2, 5, opened.card.feature_dim)
    scores_BK = model(x_BTF, torch.tensor([5, 3]))
    torch.testing.assert_close(scores_BK, model_of(path)(x_BTF, torch.tensor([5, 3])), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("cell", "decoding"), [*((cell, "autoregressive") for cell in CELLS), ("lstm", "direct")]
)
def test_every_cell_forecasts_and_comes_back(cell: str, decoding: str, trained: Callable[..., Path]) -> None:
    path = trained("trajectory", cell, "--model.decoding", decoding)
    task, opened = open_checkpoint(path, "trajectory")
    model: Any = opened.model
    assert (task.name, opened.card.model.cell, opened.card.model.decoding) == ("trajectory", cell, decoding)
    assert isinstance(model.encoder.stack.cell, CELLS[cell])
    assert_holds(model, path)
    assert model(torch.randn(2, 8, 2).cumsum(1), torch.tensor([8, 5])).path_BPC.isfinite().all()


@EVERY_CELL
def test_every_cell_can_be_looked_into(
    cell: str, clips: Path, trained: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arrays of ``inspect gates`` are named by layer, direction and gate."""
    if cell != "lstm":  # pictures of the gates of other cells are drawn in tests/render/test_gates.py
        monkeypatch.setattr("vidlstm.verbs.inspect_gates.plot_gates", lambda *how, **more: how[3].touch())
    argv = ["inspect", "gates", str(trained("action", cell)), str(clips / "long.mp4"), "--out", str(tmp_path)]
    assert main([*argv, "--store", str(clips / "store"), "--attribution", "false"]) == 0
    files = ["long.gates.npz", "long.layer1.png", "long.layer2.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    with np.load(tmp_path / "long.gates.npz", allow_pickle=False) as held:
        assert str(held["format"]) == "vidlstm.gates/1"
        assert str(held["cell"]) == cell
        windows, longest = len(held["window_steps"]), held["window_steps"].max()
        assert held["step_probabilities"].shape == (len(held["timestamps_seconds"]), 2)
        recorded = {name for name in held.files if name.startswith("layer")}
        assert {held[name].shape for name in recorded} == {(windows, longest, 8)}
    letters = {block for block in CELLS[cell].blocks if block != "h"} | set(CELLS[cell].state_names)
    ways = [f"layer{n}_{way}" for n in (1, 2) for way in ("forward", "backward")]
    assert recorded == {f"{way}_{letter}" for way in ways for letter in letters}


def started(path: Path) -> tuple[float, float]:
    """Mean bias of the gate that keeps, and how far its recurrent block is from orthogonal, over layers."""
    biases, distances = [], []
    for layer in model_of(path).encoder.stack.layers:
        assert layer.cell.keep_gate is not None
        index, blocks = layer.cell.blocks.index(layer.cell.keep_gate), len(layer.cell.blocks)
        second = 0.0 if layer.b_recurrent_G is None else layer.b_recurrent_G.chunk(blocks)[index]
        W_DD = layer.W_GD.chunk(blocks)[index]
        biases.append((layer.b_G.chunk(blocks)[index] + second).mean())
        distances.append((W_DD @ W_DD.T - torch.eye(len(W_DD))).abs().max())
    return float(torch.stack(biases).detach().mean()), float(torch.stack(distances).detach().max())


@pytest.mark.parametrize(("task", "cell"), [*(("action", cell) for cell in KEEPING), ("trajectory", "gru")])
def test_the_start_of_the_recurrent_weights_is_a_setting(
    cell: str, task: str, trained: Callable[..., Path]
) -> None:
    """An epoch at a rate of 1e-9 leaves the weights where they started; one at the usual rate, nearly so."""
    chosen = ["--model.forget_bias", "2.5", "--model.orthogonal", "true", "--optimiser.learning_rate", "1e-9"]
    bias, distance = started(trained(task, cell, *chosen))
    assert bias == pytest.approx(2.5, abs=1e-5)
    assert distance < 1e-5
    bias, distance = started(trained(task, cell))
    assert abs(bias) < 0.5
    assert distance > 0.1


def test_a_forget_bias_that_does_nothing_is_said(clips: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="forget_bias has no effect"):
        train_clips(clips, tmp_path, "--model.cell", "rnn_tanh", "--model.forget_bias", "1")


def test_truncated_training_is_one_flag_and_needs_one_direction(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_way = ["--model.bidirectional", "false", "--optimiser.truncate_steps"]
    weights = []
    for name, steps in (("whole", "0"), ("long", "1000"), ("short", "2")):
        model = model_of(train_clips(clips, tmp_path / name, *one_way, steps))
        weights.append(model.encoder.stack.layers[0].W_GD.detach())
    torch.testing.assert_close(weights[0], weights[1], atol=1e-5, rtol=0)
    assert not torch.allclose(weights[0], weights[2], atol=1e-5)
    argv = ["train", "--data.root", str(clips / "data"), "--out", str(tmp_path / "both")]
    assert main([*argv, "--optimiser.truncate_steps", "2"]) == 2
    assert "--model.bidirectional false" in capsys.readouterr().err
