"""``--trainer.devices 2 --trainer.strategy ddp``: two processes give what one gives with twice the batch."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.environments.lightning import find_free_network_port

from tests.fakes.videos import write_video
from tests.features import tiny
from vidlstm.cli.main import main
from vidlstm.features.engines import Extraction, Piece
from vidlstm.features.local_engine import LocalEngine

TRAIN_CLIPS, VALIDATION_CLIPS = 17, 7
"""Of the last of three batches of eight there is one clip: the second process has none of it."""
TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
FAILING = """
import json, os, sys
from lightning.pytorch.strategies.launchers import subprocess_script
from vidlstm.cli.main import main
from vidlstm.errors import SettingsError
from vidlstm.training.action import ActionModule
import vidlstm.verbs.train

class Second:
    def __init__(self):
        reads, self.writes = os.pipe()
        self.pid, self.returncode = os.fork(), None
        if not self.pid:
            os.close(self.writes)
            with os.fdopen(reads) as told:
                os.environ.update(json.load(told))
            sys.exit(train())
        os.close(reads)

    def Popen(self, command, env, cwd):
        with os.fdopen(self.writes, "w") as file:
            json.dump(dict(env), file)
        return self

    def poll(self):
        if self.returncode is None and (done := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(done[1])

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

def fail(task, batch, batch_index):
    raise SettingsError("one process fails")

def train():
    if os.environ.get("LOCAL_RANK", "0") == failing:
        ActionModule.training_step = fail
    return main(sys.argv[2:])

for failing in "01":
    folder = os.path.join(sys.argv[1], failing)
    os.mkdir(folder)
    if not os.fork():
        os.chdir(folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        subprocess_script.subprocess = Second()
        sys.exit(train())
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
"""Trains twice, once with each of two processes failing. In place of a second interpreter, which would import
all that the first has, it hands over to one that was forked before anything was done."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of which a third are of one class, an odd number to validate on, and a video that is none."""
    root = tmp_path_factory.mktemp("clips")
    rows = []
    for i in range(TRAIN_CLIPS + VALIDATION_CLIPS):
        write_video(root / f"{i}.mp4", frames=6 + i, seed=i)
        rows.append((f"{i}.mp4", "few" if i % 3 == 0 else "many", int(i >= VALIDATION_CLIPS)))
    (root / "broken.mp4").write_bytes(b"not a video")
    with (root / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "fold"), *rows, ("broken.mp4", "many", 1)])
    return root


def arguments(root: Path, out: Path, *, batch_size: int, store: Path | None = None) -> list[str]:
    """Without dropout, which no two processes draw alike, training is the same arithmetic.

    Features of drawn clips are extracted once, but for whom another ``store`` is given.
    """
    settings = {
        "data.format": "csv",
        "data.root": root,
        "data.annotations": root / "clips.csv",
        "data.fold": 0,
        "data.skip_unreadable": "true",
        "data.batch_size": batch_size,
        "backbone.name": "squeezenet1_1",
        "backbone.weights": "random",
        "model.hidden_size": 16,
        "model.dropout": 0,
        "model.input_dropout": 0,
        "trainer.accelerator": "cpu",
        "trainer.max_epochs": 2,
        "trainer.enable_progress_bar": "false",
        "store": store or root / "store",
        "out": out,
    }
    return ["train", *(str(word) for name, value in settings.items() for word in (f"--{name}", value))]


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "WORLD_SIZE", "PL_GLOBAL_SEED")}
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=300,  # far beyond what it takes: a run that hangs must fail the test, not stop it
        env={**clean, **environment},
        check=False,
    )


def test_two_processes_give_what_one_gives(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(root, tmp_path / "one", batch_size=8)) == 0
    capsys.readouterr()
    two = arguments(root, tmp_path / "two", batch_size=4, store=tmp_path / "store")
    done = run(["-m", "vidlstm", *two, *TWO])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validation accuracy") == 1, "the first process speaks for both"
    assert done.stderr.count("broken.mp4") == 1
    assert "sync_dist" not in done.stderr

    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two"))
    assert two["validation_clips"] == VALIDATION_CLIPS
    assert two["train_clips"] == TRAIN_CLIPS
    for key in ("val_accuracy", "val_mean_class_accuracy", "val_macro_f1", "best_epoch"):
        assert two[key] == one[key]
    # A clip left out or counted twice would show in the mean of the losses, at every epoch.
    assert two["val_loss"] == pytest.approx(one["val_loss"], rel=1e-5)
    assert two["last_epoch"] == pytest.approx(one["last_epoch"], rel=1e-5)
    weights, others = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["state_dict"] for name in ("one", "two")
    )
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-3, atol=1e-5)

    # The same weights, validated by two processes and by one, on logits of their own batches.
    report = tmp_path / "report"
    data = ["--data.format", "csv", "--data.root", str(root), "--data.annotations", str(root / "clips.csv")]
    data += ["--data.skip_unreadable", "true", "--store", str(tmp_path / "store")]
    assert main(["evaluate", str(tmp_path / "two" / "best.ckpt"), *data, "--out", str(report)]) == 0
    evaluated = json.loads((report / "report.json").read_text())
    assert evaluated["accuracy"] == pytest.approx(two["val_accuracy"], abs=1e-6)
    assert sum(map(sum, evaluated["confusion"])) == VALIDATION_CLIPS


def train_as(rank: int, port: int, argv: list[str], told: Path) -> None:
    """Trains as one of two that torchrun has started, and notes which videos it extracts."""
    own = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    own |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "1"}
    os.environ.update({name: str(value) for name, value in own.items()})
    pieces = LocalEngine.pieces

    def noted(engine: LocalEngine, extraction: Extraction) -> Generator[Piece]:
        told.write_text("\n".join(path.name for path in extraction.paths))
        return pieces(engine, extraction)

    LocalEngine.pieces = noted
    torch.set_num_threads(1)
    sys.exit(main(argv))


def test_processes_that_torchrun_starts_extract_each_its_shard(root: Path, tmp_path: Path) -> None:
    argv = [*arguments(root, tmp_path / "run", batch_size=4, store=tmp_path / "store"), *TWO]
    argv += ["--trainer.max_epochs", "1", "--sampling.workers", "1"]
    port = find_free_network_port()
    told = [tmp_path / f"{rank}.txt" for rank in range(2)]
    ranks = [
        tiny.PROCESSES.Process(target=train_as, args=(rank, port, argv, told[rank])) for rank in range(2)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0, 0]
    first, second = (set(path.read_text().split()) for path in told)
    assert first and second and not first & second
    assert first | second == {path.name for path in root.glob("*.mp4")}
    assert len(list((tmp_path / "store").rglob("*.safetensors"))) == TRAIN_CLIPS + VALIDATION_CLIPS
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["train_clips"] == TRAIN_CLIPS


def test_a_failure_of_one_process_ends_both(root: Path, tmp_path: Path) -> None:
    done = run(["-c", FAILING, str(tmp_path), *arguments(root, Path("run"), batch_size=4), *TWO])
    assert done.returncode == 0, done.stderr
    assert "0" not in (statuses := done.stdout.split()) and len(statuses) == 2
    for failing in ("0", "1"):
        said, printed = ((tmp_path / failing / name).read_text() for name in ("stderr", "stdout"))
        assert "one process fails" in said
        assert "validation accuracy" not in printed
        assert not (tmp_path / failing / "run" / "metrics.json").exists()
