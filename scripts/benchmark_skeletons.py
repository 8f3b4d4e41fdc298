"""Skeletons to actions: recurrent networks on features that were made elsewhere, beside trivial baselines.

    python scripts/benchmark_skeletons.py --table utd_mhad.parquet --json FILE
    python scripts/benchmark_skeletons.py --table utd_mhad.parquet --select --flags "--model.hidden_size 64"

UTD-MHAD (Chen et al. 2015), cross-subject: subjects 1, 3, 5, 7 train, 2, 4, 6, 8 test. Settings are chosen
with ``--select``, which leaves each training subject out once and reads no test sequence. The last epoch
counts.
"""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars
from lightning import Trainer, seed_everything
from rich.console import Console
from rich.progress import track

from vidlstm.backbones.cpu import keep_freed_memory
from vidlstm.cli.parsing import parse, section_fields
from vidlstm.cli.train import train_parser
from vidlstm.files import write_csv
from vidlstm.render.table.results_table import results_table
from vidlstm.tasks import TASKS
from vidlstm.tasks.action.evaluation import baseline_rows, clip_probabilities
from vidlstm.tasks.base import Run
from vidlstm.training.trainer import quieten_lightning
from vidlstm.verbs.train import KEPT_MEGABYTES

STRIDE = 2
"""Every second frame of 30 a second is read: 15 steps a second."""
JOINTS, SHOULDERS, HIP = 20, 1, 3
"""How many there are; the middle of the shoulders, and that of the hips."""
NEIGHBOUR_STEPS = 32
CONFIG = Path(__file__).parents[1] / "configs" / "action" / "skeletons.yaml"
NETWORKS = {
    "LSTM": ["--model.cell", "lstm", "--model.bidirectional", "false"],
    "BiLSTM": ["--model.cell", "lstm", "--model.bidirectional", "true"],
    "GRU": ["--model.cell", "gru", "--model.bidirectional", "false"],
    "BiGRU": ["--model.cell", "gru", "--model.bidirectional", "true"],
}
QUIET = {
    "enable_progress_bar": False,
    "enable_checkpointing": False,
    "logger": False,
    "limit_val_batches": 0,
}


def normalised(joints_TJ3: np.ndarray) -> np.ndarray:
    """Joints from the middle of the hips, in lengths of the trunk: ``(T, 60)``."""
    around = joints_TJ3 - joints_TJ3[:, HIP : HIP + 1]
    trunk = np.linalg.norm(around[:, SHOULDERS], axis=-1).mean()
    return (around / trunk).reshape(len(around), -1)


def sequences_of(table: Path, stride: int) -> dict[str, tuple[int, int, np.ndarray]]:
    """Name to subject, action and features ``(T, 60)`` of each sequence."""
    found = {}
    frame = polars.read_parquet(table).sort("sequence", "frame")
    for (name,), part in frame.group_by("sequence", maintain_order=True):
        numbers = part.drop("sequence", "action", "subject", "trial", "frame").to_numpy()
        joints_TJ3 = numbers.reshape(len(numbers), JOINTS, 3)
        found[str(name)] = (int(part["subject"][0]), int(part["action"][0]), normalised(joints_TJ3)[::stride])
    return found


def write_features(sequences: dict[str, tuple[int, int, np.ndarray]], folder: Path, *, test: bool) -> Path:
    """Writes a file a sequence, and the table of labels.

    With ``test`` the test subjects are fold 1 and all others fold 0; without, there are the training subjects
    alone, each a fold.
    """
    rows = []
    for name, (subject, action, x_TF) in sequences.items():
        if not test and subject % 2 == 0:
            continue
        np.save(folder / f"{name}.npy", x_TF.astype(np.float32))
        fold = 1 - subject % 2 if test else subject // 2
        rows.append((f"{name}.npy", f"action{action:02d}", f"subject{subject}", fold))
    write_csv(("path", "label", "group", "fold"), rows, folder / "labels.csv")
    return folder / "labels.csv"


def accuracy_of(labels: Path, fold: int, seed: int, flags: list[str]) -> tuple[float, dict[str, float]]:
    """Accuracy of the last epoch on a fold that is held out, and that of the trivial rows."""
    task = TASKS["action"]
    argv = ["--config", str(CONFIG), "--out", str(labels.parent), "--data.annotations", str(labels), *flags]
    settings = parse(train_parser(task), [*argv, "--data.fold", str(fold)])
    sections = task.settings(**{name: settings[name] for name in section_fields(task.settings)})
    task.check(sections)
    seed_everything(seed, workers=True, verbose=False)
    data, card = task.prepare(sections, Run(labels.parent / "store", seed, settings.device))
    trainer = Trainer(**{**vars(settings.trainer), **QUIET})
    module: Any = task.module(sections, card, data, trainer)
    trainer.fit(module, datamodule=data)
    said = clip_probabilities(module.model.cpu().eval(), data).argmax(1)
    trivial = {name: row["accuracy"] for name, row in baseline_rows(data)[0].items()}
    return float((said == data.validation_set.targets.numpy()).mean()), trivial


def nearest_neighbour(sequences: dict[str, tuple[int, int, np.ndarray]]) -> float:
    """Accuracy of the label of the nearest training sequence, each as 32 evenly spaced steps."""
    sides: tuple[list[Any], list[Any]] = ([], [])
    for subject, action, x_TF in sequences.values():
        steps = np.linspace(0, len(x_TF) - 1, NEIGHBOUR_STEPS).round().astype(int)
        sides[1 - subject % 2].append((action, x_TF[steps].ravel()))
    (train_y, train_x), (test_y, test_x) = ((np.array(part) for part in zip(*s, strict=True)) for s in sides)
    apart = ((test_x[:, None] - train_x[None]) ** 2).sum(-1)
    return float((train_y[apart.argmin(1)] == test_y).mean())


def select(labels: Path, seed: int, flags: list[str]) -> None:
    """Prints the accuracy on each training subject, left out of the training."""
    scores = [accuracy_of(labels, fold, seed, flags)[0] for fold in range(4)]
    print(
        f"{np.mean(scores):.4f}", " ".join(f"{score:.3f}" for score in scores), shlex.join(flags), flush=True
    )


def compare(
    labels: Path, seeds: int, flags: list[str], sequences: dict[str, tuple[int, int, np.ndarray]]
) -> dict[str, Any]:
    """Every network on the test subjects, once a seed, and the trivial rows."""
    rows: dict[str, Any] = {}
    for name, network in NETWORKS.items():
        runs = [
            accuracy_of(labels, 1, seed, [*flags, *network])
            for seed in track(range(seeds), name, console=Console(stderr=True))
        ]
        scores = [score for score, _ in runs]
        rows |= {key: {"accuracy": value} for key, value in runs[0][1].items()}
        rows[name] = {"accuracy": float(np.mean(scores)), "sd": float(np.std(scores, ddof=min(1, seeds - 1)))}
    rows["nearest_neighbour"] = {"accuracy": nearest_neighbour(sequences)}
    return rows


def main() -> None:
    """Parses arguments, prepares features, trains, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="utd_mhad.parquet")
    parser.add_argument("--select", action="store_true", help="training subjects alone, each left out once")
    parser.add_argument("--stride", type=int, default=STRIDE, help="every so many frames are read")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--flags", action="append", help="of train, over the config; with --select a row each"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    quieten_lightning()
    keep_freed_memory(KEPT_MEGABYTES)
    sequences = sequences_of(arguments.table, arguments.stride)
    given = [shlex.split(flags) for flags in arguments.flags or [""]]
    with tempfile.TemporaryDirectory() as folder:
        labels = write_features(sequences, Path(folder), test=not arguments.select)
        if arguments.select:
            for flags in given:
                select(labels, 0, flags)
            return
        rows = compare(labels, arguments.seeds, given[0], sequences)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    Console().print(results_table(rows, title="test subjects 2, 4, 6, 8"))


if __name__ == "__main__":
    main()
