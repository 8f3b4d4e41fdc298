"""What training leaves behind, and what it does when it is stopped, resumed or led astray."""

from __future__ import annotations

import csv
import errno
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_only

import vidlstm
from tests.verbs.conftest import LABELS, train
from tests.verbs.hostile import Payload
from vidlstm.cards import CARD, read_checkpoint
from vidlstm.errors import CheckpointError, DatasetError, OutputError, SettingsError
from vidlstm.tasks import open_checkpoint
from vidlstm.tasks.base import warn_of_few
from vidlstm.training.trainer import build_trainer, extracts

VALIDATED = {"val_accuracy", "val_loss", "val_macro_f1", "val_mean_class_accuracy"}


class StopAt(Callback):
    """As a user would with Ctrl+C, or a machine that fails."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_start(self, trainer: Trainer, *rest: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise RuntimeError("stopped")


def last(out: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(out / "last.ckpt", weights_only=True)
    return checkpoint


def test_what_is_left_in_the_folder(trained: Path) -> None:
    assert {p.name for p in trained.iterdir()} == {"best.ckpt", "last.ckpt", "metrics.csv", "metrics.json"}
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics.keys() >= VALIDATED | {"best_epoch", "epochs", "last_epoch", "majority_class_accuracy"}
    assert metrics["last_epoch"].keys() == VALIDATED
    assert (metrics["train_clips"], metrics["validation_clips"], metrics["epochs"]) == (12, 6, 1)
    assert metrics["majority_class_accuracy"] == pytest.approx(4 / 6)
    with (trained / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row["train_loss"] for row in rows)
    assert any(row["val_loss"] for row in rows)


def test_the_checkpoint_knows_how_it_was_made(trained: Path, root: Path) -> None:
    task, opened = open_checkpoint(trained / "best.ckpt", "action")
    card = opened.card
    assert (task.name, opened.epoch, opened.path) == ("action", 0, trained / "best.ckpt")
    assert card.labels == LABELS
    assert card.data.fold == 1
    assert card.data.annotations == root / "clips.csv"
    assert card.model.hidden_size == 8
    assert card.backbone["backbone"] == "squeezenet1_1"
    assert card.weights_source == "random"
    assert (card.fps, card.seed) == (10.0, 0)
    # Clips of 5 to 10 and 17 to 22 frames, 10 a second.
    assert card.window_seconds == pytest.approx(1.0)
    plain = read_checkpoint(trained / "best.ckpt").plain
    assert (plain["version"], plain["task"], plain["labels"]) == (2, "action", list(LABELS))


def test_a_resumed_training_ends_where_an_undisturbed_one_does(root: Path, tmp_path: Path) -> None:
    """Stopped in its second epoch and in its third."""
    # Dropout, random cuts, the order of the clips, the schedule and the choice of the best epoch: all go on.
    settings: dict[str, Any] = {"epochs": 4, "data": {"max_seconds": 0.8}, "seed": 3}
    undisturbed = train(root, tmp_path / "a", **settings)
    for stop in (1, 2):
        with pytest.raises(RuntimeError, match="stopped"):
            stopping = {"callbacks": [StopAt(stop)]}
            train(root, tmp_path / "b", **settings, trainer=stopping, resume=stop > 1)
        assert last(tmp_path / "b")["epoch"] == stop - 1
    resumed = train(root, tmp_path / "b", **settings, resume=True)
    assert resumed == undisturbed
    ours, theirs = last(tmp_path / "b"), last(tmp_path / "a")
    assert ours["global_step"] == theirs["global_step"] == 4 * 3
    for name, weight in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], weight), name


def test_another_seed_trains_another_network(root: Path, trained: Path, tmp_path: Path) -> None:
    train(root, tmp_path, seed=1)
    one, other = (last(folder)["state_dict"]["model.head.1.weight"] for folder in (trained, tmp_path))
    assert not torch.equal(one, other)


def test_training_stops_when_nothing_improves(root: Path, tmp_path: Path) -> None:
    # With a learning rate of nought no epoch is better than the first.
    optimiser = {"learning_rate": 0.0, "patience": 2}
    metrics = train(root, tmp_path, epochs=9, optimiser=optimiser)
    assert (metrics["best_epoch"], metrics["epochs"]) == (0, 3)


def test_classes_weigh_alike_or_as_they_come(root: Path, trained: Path, tmp_path: Path) -> None:
    # Two clips of a, two of b and eight of c to train on.
    assert last(trained)["state_dict"]["loss.weight"].tolist() == [2.0, 2.0, 0.5]
    train(root, tmp_path, optimiser={"class_weights": "none"})
    assert "loss.weight" not in last(tmp_path)["state_dict"]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_training_is_replaced_only_when_that_is_asked_for(
    root: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    before = files(out)
    with pytest.raises(OutputError, match=r"holds a training already \(best\.ckpt and last\.ckpt\)"):
        train(root, out, seed=4)
    with pytest.raises(SettingsError, match=r"`resume`.*`overwrite`.*one of them"):
        train(root, out, seed=4, resume=True, overwrite=True)
    with pytest.raises(SettingsError, match=r"limit_val_batches"):  # known when the data are there
        train(root, out, seed=4, overwrite=True, trainer={"limit_val_batches": 0.01})
    kept = before.keys() - {"metrics.csv"}
    assert {name: files(out)[name] for name in kept} == {name: before[name] for name in kept}
    train(root, out, seed=4, overwrite=True)
    assert last(out)[CARD]["seed"] == 4
    assert open_checkpoint(out / "best.ckpt")[1].card.seed == 4


def test_a_training_that_has_finished_is_left_as_it_is(root: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    before = files(out)
    with pytest.warns(
        UserWarning, match=r"last\.ckpt has finished \(1 epochs, 3 steps\).*`trainer\.max_epochs`"
    ):
        metrics = train(root, out, resume=True)
    assert metrics == json.loads((out / "metrics.json").read_text())
    assert files(out) == before
    # One that was ended before it measured does so now.
    (out / "metrics.json").unlink()
    with pytest.warns(UserWarning, match="has finished"):
        again = train(root, out, resume=True)
    assert again["val_loss"] == metrics["val_loss"]
    assert (out / "metrics.csv").read_bytes() == before["metrics.csv"]


def test_settings_that_did_not_exist_then_have_their_defaults(
    root: Path, trained: Path, tmp_path: Path
) -> None:
    checkpoint = last(trained)
    for section, name in (("model", "fusion"), ("model", "orthogonal"), ("data", "skip_unreadable")):
        del checkpoint[CARD][section][name]
    torch.save(checkpoint, tmp_path / "last.ckpt")
    assert train(root, tmp_path, epochs=2, resume=True)["epochs"] == 2


@pytest.mark.filterwarnings("error::UserWarning")
def test_few_validation_clips_are_said_to_choose_by_chance(root: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserWarning, match=r"^6 validation clips choose the epoch that is kept; .* 20 .*chance"
    ):
        train(root, tmp_path)
    warn_of_few(20, "clips")


@pytest.mark.parametrize("out", ["file", "file/run", "sealed/run"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    out: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "sealed").mkdir()
    opened = tempfile.TemporaryFile

    def sealed(dir: Path, **how: Any) -> Any:
        if dir == tmp_path / "sealed":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(dir=dir, **how)

    monkeypatch.setattr(tempfile, "TemporaryFile", sealed)
    with pytest.raises(
        OutputError, match=r"(file is a file|sealed cannot be written to: Perm).*choose another `out`"
    ):
        train(root, tmp_path / out)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "sealed"]


def test_the_threads_of_the_caller_are_as_before(root: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    seen = []

    class Look(Callback):
        def on_train_start(self, trainer: Trainer, module: Any) -> None:
            seen.append(torch.get_num_threads())

    torch.set_num_threads(before + 1)
    try:
        train(root, tmp_path, trainer={"callbacks": Look()})
        assert torch.get_num_threads() == before + 1 == seen[0], "what a caller has chosen stays"
    finally:
        torch.set_num_threads(before)


def test_nothing_to_resume_is_said(root: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"last\.ckpt: no such checkpoint"):
        train(root, tmp_path, resume=True)


def test_a_training_with_other_settings_is_not_resumed(root: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained / "last.ckpt", tmp_path)
    with pytest.raises(CheckpointError, match=r"(?s)other settings.*seed +wanted 5\n +found +0"):
        train(root, tmp_path, resume=True, seed=5)


def test_a_checkpoint_that_would_run_code_is_not_resumed(root: Path, trained: Path, tmp_path: Path) -> None:
    hostile = {**last(trained), "loops": Payload(tmp_path / "ran")}
    torch.save(hostile, tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match="would run code"):
        train(root, tmp_path, resume=True)
    assert not (tmp_path / "ran").exists()
    assert hostile[CARD] == last(trained)[CARD]


def test_the_first_process_of_a_machine_extracts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # where Lightning notes it; put back after the test

    def started(**environment: str) -> Trainer:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        two = {"devices": 2, "strategy": "ddp", "accelerator": "cpu", "logger": False}
        return build_trainer(tmp_path, two, monitor="val_loss", patience=0)

    assert extracts(started())
    assert extracts(started(LOCAL_RANK="0"))
    assert not extracts(started(LOCAL_RANK="1"))
    # torchrun starts all at once, so nobody can rely on the first.
    torchrun = {"RANK": "1", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "2"}
    assert extracts(started(**torchrun, TORCHELASTIC_RUN_ID="none"))


def test_sections_are_settings_dicts_or_one_word(root: Path, trained: Path, tmp_path: Path) -> None:
    """The same training from words and dicts; a folder alone is a dataset of one folder per class."""
    model = {"hidden_size": 8, "projection": 8, "num_layers": 1}
    metrics = vidlstm.train(
        data={
            "format": "csv",
            "root": str(root),
            "annotations": root / "clips.csv",
            "fold": 1,
            "batch_size": 4,
        },
        out=str(tmp_path),
        store=str(root / "store"),
        backbone={"name": "squeezenet1_1", "weights": "random"},
        model=model,
        max_epochs=1,
        trainer={"enable_progress_bar": False},
        device="cpu",
    )
    assert metrics == json.loads((trained / "metrics.json").read_text())
    with pytest.raises(DatasetError, match="nowhere"):
        vidlstm.train("action", data=str(tmp_path / "nowhere"), out=tmp_path / "b", backbone="squeezenet1_1")


@pytest.mark.parametrize(
    ("task", "sections", "message"),
    [
        ("actoin", {}, "no task is called 'actoin'; did you mean 'action'?"),
        ("action", {"modle": {}}, "action has no settings called modle; did you mean 'model'?"),
        ("action", {"model": {"cel": "gru"}}, "no setting is called model.cel; did you mean 'cell'?"),
        (
            "action",
            {"model": {"hidden_size": 0}},
            "`model.hidden_size` must be greater than or equal to 1: 0",
        ),
        ("action", {"optimiser": {"learning_rate": float("nan")}}, "`optimiser.learning_rate` must be"),
        (
            "action",
            {"data": {"tracks": "t.parquet"}},
            "action has no setting `data.tracks`.*`task object_action`",
        ),
        ("trajectory", {"backbone": "resnet18"}, "trajectory has no setting `backbone`.*`task action`"),
        ("action", {"model": {"modes": 3}}, "action has no setting `model.modes`.*`task trajectory`"),
        ("action", {"seed": -1}, "`seed` must be"),
        ("action", {"max_epochs": -1}, "`max_epochs` must be"),
        ("action", {"device": "cuda:99"}, "cuda:99 is not on this machine"),
        ("object_action", {}, "`data.tracks FILE`"),
        ("action", {"optimiser": {"truncate_steps": 2}}, "add `model.bidirectional false`"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    task: str, sections: dict[str, Any], message: str, root: Path, tmp_path: Path
) -> None:
    data_of = {} if task == "trajectory" or "data" in sections else {"data": {"root": root}}
    with pytest.raises(SettingsError, match=message):
        vidlstm.train(task, out=tmp_path / "run", store=tmp_path / "store", **data_of, **sections)
    assert not any(tmp_path.iterdir())
