"""``inspect gradients`` on the command line, with and without a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
import pytest
import torch
from PIL import Image

from vidlstm.cli.main import main
from vidlstm.models.cells import CELLS
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.verbs.inspect_gradients import noise_like_training


def test_every_cell_is_a_line_of_the_table_and_the_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["inspect", "gradients", "--out", str(tmp_path), "--steps", "30", "--hidden_size", "8"]
    assert main(argv) == 0
    said = capsys.readouterr().out
    table = polars.read_csv(tmp_path / "gradients.csv")
    assert table["network"].unique(maintain_order=True).to_list() == list(CELLS)
    assert table.filter(polars.col("network") == "gru")["lag"].to_list() == list(range(30))
    assert all(cell in said for cell in CELLS)
    with Image.open(tmp_path / "gradients.png") as image:
        assert np.asarray(image.convert("L")).std() > 5


def norm_of(folder: Path, network: str, lag: int) -> float:
    table = polars.read_csv(folder / "gradients.csv")
    return float(
        table.filter((polars.col("network") == network) & (polars.col("lag") == lag))["gradient_norm"][0]
    )


def test_a_forget_bias_keeps_the_gradient(tmp_path: Path) -> None:
    argv = ["inspect", "gradients", "--steps", "60", "--hidden_size", "16"]
    assert main([*argv, "--out", str(tmp_path / "usual")]) == 0
    assert main([*argv, "--out", str(tmp_path / "open"), "--forget_bias", "3"]) == 0
    for cell in ("lstm", "lstm_peephole", "gru"):
        assert norm_of(tmp_path / "open", cell, 59) > 1e4 * norm_of(tmp_path / "usual", cell, 59)
    assert norm_of(tmp_path / "open", "rnn_tanh", 59) == norm_of(tmp_path / "usual", "rnn_tanh", 59)


def test_a_checkpoint_is_drawn_after_and_before_its_training(
    clips: Path, classifier: Path, tmp_path: Path
) -> None:
    argv = ["inspect", "gradients", str(classifier), "--hidden_size", "8", "--store", str(clips / "store")]
    video = ["--video", str(clips / "data" / "a" / "0.mp4")]
    assert main([*argv, "--steps", "20", "--out", str(tmp_path / "noise")]) == 0
    assert main([*argv, "--steps", "20", "--out", str(tmp_path / "video"), *video]) == 0
    for folder in ("noise", "video"):
        table = polars.read_csv(tmp_path / folder / "gradients.csv")
        names = table["network"].unique(maintain_order=True).to_list()
        assert names == [*CELLS, "checkpoint (lstm), trained", "checkpoint (lstm), untrained"]
    usual = norm_of(tmp_path / "noise", "checkpoint (lstm), trained", 5)
    assert norm_of(tmp_path / "video", "checkpoint (lstm), trained", 5) != usual


def test_noise_is_what_the_classifier_takes_for_normal() -> None:
    torch.manual_seed(0)
    model = SequenceClassifier(3, 2)
    model.norm.fit(torch.tensor([5.0, -2.0, 0.0]), torch.tensor([2.0, 0.5, 1.0]))
    normed = model.norm(noise_like_training(model, 2000, seed=0))
    np.testing.assert_allclose(normed.mean((0, 1)).numpy(), 0, atol=0.05)
    np.testing.assert_allclose(normed.std((0, 1)).numpy(), 1, atol=0.05)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--steps", "1"], "--steps must be greater than or equal to 2"),
        (["--video", "v.mp4"], "needs the checkpoint"),
        (["--step", "9"], "did you mean 'steps'?"),
    ],
)
def test_what_makes_no_sense_is_refused(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "gradients", "--out", str(tmp_path), *flags]) == 2
    assert message in capsys.readouterr().err
