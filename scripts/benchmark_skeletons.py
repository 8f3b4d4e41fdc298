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
from collections.abc import Collection
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
EPOCHS = 12
"""Of the training sequences and their copies."""
TRAIN, TEST = (1, 3, 5, 7), (2, 4, 6, 8)
"""Subjects."""
TURN, STRETCH, CUT = 0.5, 0.15, 8
"""Of changed copies: the largest turn in radians, share of a stretch, and part that is cut off an end."""
CONFIG = Path(__file__).parents[1] / "configs" / "action" / "skeletons.yaml"
NETWORKS = {
    "LSTM": ["--model.cell", "lstm", "--model.bidirectional", "false"],
    "BiLSTM": ["--model.cell", "lstm", "--model.bidirectional", "true"],
    "GRU": ["--model.cell", "gru", "--model.bidirectional", "false"],
}
QUIET = {
    "enable_progress_bar": False,
    "enable_checkpointing": False,
    "logger": False,
    "limit_val_batches": 0,
}


Sequences = dict[str, tuple[int, int, np.ndarray]]
"""Name to subject, action and joints ``(T, J, 3)``."""


def normalised(joints_TJ3: np.ndarray) -> np.ndarray:
    """Joints from the middle of the hips, in lengths of the trunk."""
    around = joints_TJ3 - joints_TJ3[:, HIP : HIP + 1]
    trunk: float = np.linalg.norm(around[:, SHOULDERS], axis=-1).mean()
    return np.asarray(around / trunk)


def changed(joints_TJ3: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Somebody else's: turned about the vertical, stretched along each axis, cut at both ends."""
    angle, steps = rng.uniform(-TURN, TURN), len(joints_TJ3)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    first, last = rng.integers(0, steps // CUT + 1, 2)
    return joints_TJ3[first : steps - last] @ turn.T * rng.uniform(1 - STRETCH, 1 + STRETCH, 3)


def sequences_of(table: Path, stride: int) -> Sequences:
    """All sequences of the table, of every so many frames."""
    found = {}
    frame = polars.read_parquet(table).sort("sequence", "frame")
    for (name,), part in frame.group_by("sequence", maintain_order=True):
        numbers = part.drop("sequence", "action", "subject", "trial", "frame").to_numpy()
        joints_TJ3 = normalised(numbers.reshape(len(numbers), JOINTS, 3))[::stride]
        found[str(name)] = (int(part["subject"][0]), int(part["action"][0]), joints_TJ3)
    return found


def write_features(sequences: Sequences, held_out: Collection[int], copies: int, folder: Path) -> Path:
    """Writes a file a sequence, and the table of labels, in which the subjects held out are fold 1.

    Of every other sequence there are so many changed copies, too.
    """
    rng, rows = np.random.default_rng(0), []
    for name, (subject, action, joints_TJ3) in sequences.items():
        out = subject in held_out
        every = [joints_TJ3, *(changed(joints_TJ3, rng) for _ in range(0 if out else copies))]
        for number, one_TJ3 in enumerate(every):
            file = f"{name}.{number}.npy"
            np.save(folder / file, one_TJ3.reshape(len(one_TJ3), -1).astype(np.float32))
            rows.append((file, f"action{action:02d}", f"subject{subject}", int(out)))
    table = folder / "labels.csv"
    write_csv(("path", "label", "group", "fold"), rows, table)
    return table


def accuracy_of(labels: Path, seed: int, flags: list[str]) -> tuple[float, dict[str, float]]:
    """Accuracy of the last epoch on what is held out, and that of the trivial rows."""
    task = TASKS["action"]
    argv = ["--config", str(CONFIG), "--out", str(labels.parent), "--data.annotations", str(labels)]
    argv += ["--data.fold", "1", "--trainer.max_epochs", str(EPOCHS)]
    settings = parse(train_parser(task), [*argv, *flags])
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


def nearest_neighbour(sequences: Sequences) -> float:
    """Accuracy of the label of the nearest training sequence, each as 32 evenly spaced steps."""
    sides: tuple[list[Any], list[Any]] = ([], [])
    for subject, action, joints_TJ3 in sequences.values():
        steps = np.linspace(0, len(joints_TJ3) - 1, NEIGHBOUR_STEPS).round().astype(int)
        sides[1 - subject % 2].append((action, joints_TJ3[steps].ravel()))
    (train_y, train_x), (test_y, test_x) = ((np.array(part) for part in zip(*s, strict=True)) for s in sides)
    apart = (train_x**2).sum(1) - 2 * test_x @ train_x.T  # and what is the same for all neighbours
    return float((train_y[apart.argmin(1)] == test_y).mean())


def select(sequences: Sequences, copies: int, seeds: int, flags: list[str]) -> None:
    """Prints the accuracy of every network on the training subjects, each left out of the training once: the
    mean over subjects of every seed.
    """
    train = {name: one for name, one in sequences.items() if one[0] in TRAIN}
    scores = np.zeros((len(NETWORKS), seeds, len(TRAIN)))
    for n, subject in enumerate(track(TRAIN, "subjects", console=Console(stderr=True))):
        with tempfile.TemporaryDirectory() as folder:
            labels = write_features(train, [subject], copies, Path(folder))
            for k, network in enumerate(NETWORKS.values()):
                scores[k, :, n] = [accuracy_of(labels, s, [*flags, *network])[0] for s in range(seeds)]
    for name, by_seed in zip(NETWORKS, scores.mean(-1), strict=True):
        each = " ".join(f"{score:.3f}" for score in by_seed)
        print(f"{name} {by_seed.mean():.4f} ± {spread(by_seed):.4f} ({each}) {shlex.join(flags)}", flush=True)


def spread(scores: Collection[float]) -> float:
    """The sample standard deviation; 0 of one."""
    return float(np.std(list(scores), ddof=min(1, len(scores) - 1)))


def compare(sequences: Sequences, copies: int, seeds: int, flags: list[str]) -> dict[str, Any]:
    """Every network on the test subjects, once a seed, and the trivial rows."""
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        labels = write_features(sequences, TEST, copies, Path(folder))
        for name, network in NETWORKS.items():
            runs = [
                accuracy_of(labels, seed, [*flags, *network])
                for seed in track(range(seeds), name, console=Console(stderr=True))
            ]
            scores = [score for score, _ in runs]
            rows |= {key: {"accuracy": value} for key, value in runs[0][1].items()}
            rows[name] = {"accuracy": float(np.mean(scores)), "sd": spread(scores)}
            print(name, scores, flush=True)
    return {**rows, "nearest_neighbour": {"accuracy": nearest_neighbour(sequences)}}


def main() -> None:
    """Parses arguments, prepares features, trains, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="utd_mhad.parquet")
    parser.add_argument("--select", action="store_true", help="training subjects alone, each left out once")
    parser.add_argument("--copies", type=int, default=4, help="changed ones of each training sequence")
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
    if arguments.select:
        for flags in given:
            select(sequences, arguments.copies, arguments.seeds, flags)
        return
    rows = compare(sequences, arguments.copies, arguments.seeds, given[0])
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    Console().print(results_table(rows, title="test subjects 2, 4, 6, 8"))


if __name__ == "__main__":
    main()
