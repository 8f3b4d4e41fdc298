"""The action task on bags: it overfits eight of them, and its checkpoint says whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import seed_everything
from vidlstm.training.checkpoint import CARD

from tests.fakes.objects import rise_or_fall, still
from tests.training.test_action import MODEL, WIDTH, trainer
from vidlstm.cli.main import main
from vidlstm.datamodules.object_actions import ObjectActionData
from vidlstm.datasets import ClipRecord
from vidlstm.errors import CheckpointError
from vidlstm.models.bags import BagClassifier
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.training.action import ActionModule, load_action_model, load_any_action_model

LABELS = ("fall", "rise")
OBJECTS = {"tracking": {"fps": 10.0}, "max_gap_seconds": 0.5, "minimum_seconds": 0.3}
CARD_OF_MODEL = {"labels": list(LABELS), "feature_dim": WIDTH, "model": MODEL, "objects": OBJECTS}


def eight() -> ObjectActionData:
    """In each clip one rises or falls, and up to two do nothing."""
    sequences, records = {}, []
    for n in range(8):
        path, label = Path(f"{n}.mp4"), LABELS[n % 2]
        sequences[path] = [rise_or_fall(1, label, seed=n), *(still(2 + i, seed=n) for i in range(n % 3))]
        records.append(ClipRecord(path, label))
    return ObjectActionData(
        sequences, WIDTH, LABELS, train=records, validation=records, fps=10, minimum_seconds=0.3, batch_size=3
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ActionModule, ObjectActionData]:
    folder = tmp_path_factory.mktemp("objects")
    data = eight()
    seed_everything(0, verbose=False)
    task = ActionModule(
        BagClassifier(SequenceClassifier(WIDTH, 2, **MODEL)),
        2,
        total_steps=120,
        learning_rate=2e-2,
        card=CARD_OF_MODEL,
    )
    fitted = trainer(max_epochs=40)
    fitted.fit(task, datamodule=data)
    fitted.save_checkpoint(folder / "a.ckpt")
    return folder / "a.ckpt", task, data


def test_overfits_eight_bags(trained: tuple[Path, ActionModule, ObjectActionData]) -> None:
    _, task, data = trained
    (found,) = trainer().validate(task, datamodule=data, verbose=False)
    assert found["val_accuracy"] == 1.0
    assert found["val_loss"] < 0.1
    assert task.confusion_KK is not None
    assert task.confusion_KK.tolist() == [[4, 0], [0, 4]]


def test_the_checkpoint_round_trips(trained: tuple[Path, ActionModule, ObjectActionData]) -> None:
    path, task, data = trained
    model, card = load_any_action_model(path)
    assert isinstance(model, BagClassifier) and not model.training
    assert card["objects"] == OBJECTS
    (batch, *_) = data.val_dataloader()
    with torch.no_grad():
        said = model(batch.x_BTF, batch.lengths_B, **batch.extras)
        torch.testing.assert_close(
            said, task.eval()(batch.x_BTF, batch.lengths_B, **batch.extras), rtol=0, atol=0
        )
    assert said.shape == (3, 2)


def test_what_needs_whole_frames_refuses_it(
    trained: tuple[Path, ActionModule, ObjectActionData], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CheckpointError, match=r"about tracked objects.*without --data\.tracks"):
        load_action_model(trained[0])
    (tmp_path / "a.mp4").write_bytes(b"not looked at")
    for what, videos in (("gates", [str(tmp_path / "a.mp4")]), ("gradients", [])):
        argv = ["inspect", what, str(trained[0]), *videos, "--out", str(tmp_path / "out")]
        assert main(argv) == 2
        assert "about tracked objects" in capsys.readouterr().err


@pytest.mark.parametrize(
    "objects",
    [
        5,
        {},
        {**OBJECTS, "minimum_seconds": "long"},
        {k: v for k, v in OBJECTS.items() if k != "max_gap_seconds"},
        {**OBJECTS, "tracking": None},
    ],
)
def test_a_damaged_card_is_refused(
    objects: Any,
    trained: tuple[Path, ActionModule, ObjectActionData],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    honest = torch.load(trained[0], weights_only=True)
    torch.save({**honest, CARD: {**honest[CARD], "objects": objects}}, tmp_path / "b.ckpt")
    with pytest.raises(CheckpointError, match="does not describe its weights"):
        load_any_action_model(tmp_path / "b.ckpt")
    (tmp_path / "a.mp4").write_bytes(b"not looked at")
    argv = ["predict", str(tmp_path / "b.ckpt"), str(tmp_path / "a.mp4"), "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    assert "b.ckpt is damaged" in capsys.readouterr().err


def test_weights_of_another_kind_are_refused(
    trained: tuple[Path, ActionModule, ObjectActionData], tmp_path: Path
) -> None:
    """A card of whole frames on weights of bags, and the other way round."""
    honest = torch.load(trained[0], weights_only=True)
    card = {k: v for k, v in honest[CARD].items() if k != "objects"}
    torch.save({**honest, CARD: card}, tmp_path / "c.ckpt")
    with pytest.raises(CheckpointError, match="does not describe its weights"):
        load_any_action_model(tmp_path / "c.ckpt")
