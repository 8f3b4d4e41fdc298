"""Every cell by one flag: trained on the command line for both tasks, saved, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from vidlstm.training.checkpoint import read_checkpoint

from tests.fakes.tracks import make_ethucy
from tests.fakes.videos import write_video
from vidlstm.cli.main import main
from vidlstm.models.cells import CELLS
from vidlstm.training.action import load_action_model
from vidlstm.training.trajectory import load_trajectory_model

if TYPE_CHECKING:
    from pathlib import Path

EVERY_CELL = pytest.mark.parametrize("cell", CELLS)
KEEPING = [cell for cell, equations in CELLS.items() if equations.keep_gate]
QUIET = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
QUIET += ["--trainer.enable_progress_bar", "false"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for i in range(8):
        write_video(root / "data" / ("a", "b")[i % 2] / f"{i}.mp4", seed=i)
    return root


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ethucy(tmp_path_factory.mktemp("ethucy"), count=6)


def train_action(clips: Path, out: Path, *flags: str) -> Path:
    """Features are extracted by the first call and found by the others."""
    argv = ["train", "--data.root", str(clips / "data"), "--store", str(clips / "store"), "--out", str(out)]
    argv += ["--backbone.name", "squeezenet1_1", "--backbone.weights", "random", "--model.hidden_size", "8"]
    assert main([*argv, *QUIET, *flags]) == 0
    return out / "best.ckpt"


def train_trajectory(tracks: Path, out: Path, *flags: str) -> Path:
    argv = ["train", "--task", "trajectory", "--data.root", str(tracks), "--data.scene", "zara1"]
    argv += ["--data.draws_per_epoch", "64", "--data.batch_size", "32", "--out", str(out)]
    argv += ["--model.hidden_size", "8", "--model.decoder_size", "8", "--model.modes", "2"]
    assert main([*argv, *QUIET, *flags]) == 0
    return out / "best.ckpt"


def assert_holds(model: torch.nn.Module, path: Path) -> None:
    """The model read back has every weight of the file."""
    state, _ = read_checkpoint(path)
    held = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
    assert held.keys() == model.state_dict().keys()
    torch.testing.assert_close(model.state_dict(), held, rtol=0, atol=0)


@EVERY_CELL
def test_every_cell_classifies_and_comes_back(cell: str, clips: Path, tmp_path: Path) -> None:
    path = train_action(clips, tmp_path, "--model.cell", cell)
    model, card = load_action_model(path)
    assert card["model"]["cell"] == cell
    assert isinstance(model.encoder.stack.cell, CELLS[cell])
    assert_holds(model, path)
    x_BTF = torch.randn(2, 5, card["feature_dim"])
    scores_BK = model(x_BTF, torch.tensor([5, 3]))
    again, _ = load_action_model(path)
    torch.testing.assert_close(scores_BK, again(x_BTF, torch.tensor([5, 3])), rtol=0, atol=0)


@EVERY_CELL
@pytest.mark.parametrize("decoding", ["direct", "autoregressive"])
def test_every_cell_forecasts_and_comes_back(cell: str, decoding: str, tracks: Path, tmp_path: Path) -> None:
    path = train_trajectory(tracks, tmp_path, "--model.cell", cell, "--model.decoding", decoding)
    model, card = load_trajectory_model(path)
    assert card["model"]["cell"] == cell
    assert isinstance(model.encoder.stack.cell, CELLS[cell])
    assert_holds(model, path)
    assert model(torch.randn(2, 8, 2).cumsum(1), torch.tensor([8, 5])).path_BPC.isfinite().all()


def started(path: Path, *, task: str) -> tuple[float, float]:
    """Mean bias of the gate that keeps, and how far its recurrent block is from orthogonal, over layers."""
    model, _ = load_action_model(path) if task == "action" else load_trajectory_model(path)
    biases, distances = [], []
    for layer in model.encoder.stack.layers:
        assert layer.cell.keep_gate is not None
        index, blocks = layer.cell.blocks.index(layer.cell.keep_gate), len(layer.cell.blocks)
        second = 0.0 if layer.b_recurrent_G is None else layer.b_recurrent_G.chunk(blocks)[index]
        W_DD = layer.W_GD.chunk(blocks)[index]
        biases.append((layer.b_G.chunk(blocks)[index] + second).mean())
        distances.append((W_DD @ W_DD.T - torch.eye(len(W_DD))).abs().max())
    return float(torch.stack(biases).detach().mean()), float(torch.stack(distances).detach().max())


@pytest.mark.parametrize("cell", KEEPING)
@pytest.mark.parametrize("task", ["action", "trajectory"])
def test_the_start_of_the_recurrent_weights_is_a_setting(
    cell: str, task: str, clips: Path, tracks: Path, tmp_path: Path
) -> None:
    """One epoch at a rate of 1e-9 leaves the weights where they started."""
    flags = ["--model.cell", cell, "--optimiser.learning_rate", "1e-9"]
    chosen = ["--model.forget_bias", "2.5", "--model.orthogonal", "true"]
    trained = {"action": (train_action, clips), "trajectory": (train_trajectory, tracks)}
    train, data = trained[task]
    bias, distance = started(train(data, tmp_path / "chosen", *flags, *chosen), task=task)
    assert bias == pytest.approx(2.5, abs=1e-5)
    assert distance < 1e-5
    bias, distance = started(train(data, tmp_path / "usual", *flags), task=task)
    assert abs(bias) < 0.5
    assert distance > 0.1


def test_a_forget_bias_that_does_nothing_is_said(clips: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="forget_bias has no effect"):
        train_action(clips, tmp_path, "--model.cell", "rnn_tanh", "--model.forget_bias", "1")


def test_truncated_training_is_one_flag_and_needs_one_direction(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_way = ["--model.bidirectional", "false", "--optimiser.truncate_steps"]
    assert train_action(clips, tmp_path / "cut", *one_way, "2").is_file()
    weights = []
    for name, steps in (("whole", "0"), ("long", "1000"), ("short", "2")):
        model, _ = load_action_model(train_action(clips, tmp_path / name, *one_way, steps))
        weights.append(model.encoder.stack.layers[0].W_GD.detach())
    torch.testing.assert_close(weights[0], weights[1], atol=1e-5, rtol=0)
    assert not torch.allclose(weights[0], weights[2], atol=1e-5)
    argv = ["train", "--data.root", str(clips / "data"), "--out", str(tmp_path / "both")]
    assert main([*argv, "--optimiser.truncate_steps", "2"]) == 2
    assert "--model.bidirectional false" in capsys.readouterr().err
