"""Every recurrent cell on the same data with the same budget: accuracy, size, speed.

``motifs``: accuracy on a generated task in which order is all that matters: two of two motifs appear in
noise, and the class says which came first and which second. Logistic regression on the mean features stands
beside it; it cannot tell "X then Y" from "Y then X".

``speed``: that of 512 inputs, 256 units and 2 layers: in training at batch 64 and 32 steps, as a ratio to
``torch.nn.LSTM`` in the same rounds; in streaming for one step of one sequence, its state carried on.

``clips``: accuracy on labelled clips through ``vidlstm train``, on stored features (missing ones are made
first). ``--root`` holds the clips and ``clips.csv`` with groups. Where that has folds, every fold is held out
once and the last epoch counts, so that nothing is chosen on the held-out clips; where it has a test split,
that counts. ``--long-lag`` adds what ``benchmark_long_lag.py --json`` found.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidlstm.datamodules.collate import SequenceDataset
from vidlstm.datasets import load_dataset
from vidlstm.models.cells import CELLS
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.recurrent import RecurrentEncoder
from vidlstm.settings import ActionDataSettings, ActionModelSettings, BackboneSettings
from vidlstm.training.baselines import logistic_regression
from vidlstm.training.trainer import quieten_lightning
from vidlstm.verbs.evaluate import evaluate
from vidlstm.verbs.train import train as train_verb

INPUTS, UNITS, LAYERS, BATCH, STEPS = 512, 256, 2, 64, 32


@dataclass
class Clips:
    """Padded sequences ``(S, T, F)``, lengths and classes ``(S,)``; features of real clips fit as well."""

    x_STF: Tensor
    lengths_S: Tensor
    labels_S: Tensor


def motif_clips(count: int, generator: torch.Generator) -> Clips:
    """Noise of 16 features over 20 to 40 steps, motif X or Y added at two of them: XX, XY, YX, YY."""
    motifs_2F = 4.0 * F.normalize(torch.randn(2, 16, generator=torch.Generator().manual_seed(0)))
    lengths_S = torch.randint(20, 41, (count,), generator=generator)
    which_S2 = torch.randint(2, (count, 2), generator=generator)
    x_STF = torch.randn(count, 40, 16, generator=generator)
    for s in range(count):
        first, second = torch.randperm(int(lengths_S[s]), generator=generator)[:2].sort().values
        x_STF[s, first] += motifs_2F[which_S2[s, 0]]
        x_STF[s, second] += motifs_2F[which_S2[s, 1]]
        x_STF[s, lengths_S[s] :] = 0
    return Clips(x_STF, lengths_S, which_S2 @ torch.tensor([2, 1]))


def train(cell: str, clips: Clips, *, epochs: int, seed: int) -> SequenceClassifier:
    """AdamW on batches of 32 with a falling learning rate; the same for every cell."""
    torch.manual_seed(seed)
    model = SequenceClassifier(
        clips.x_STF.shape[2],
        int(clips.labels_S.max()) + 1,
        cell=cell,
        hidden_size=64,
        num_layers=1,
        bidirectional=False,
        projection=0,
        dropout=0.0,
        input_dropout=0.0,
        pooling="last",
    )
    updates = epochs * -(-len(clips.labels_S) // 32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(clips.labels_S)), 32):
            scores = model(clips.x_STF[rows], clips.lengths_S[rows])
            optimiser.zero_grad()
            torch.autograd.backward(F.cross_entropy(scores, clips.labels_S[rows]))
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return model.eval()


def accuracy(model: SequenceClassifier, clips: Clips) -> float:
    """The share of clips whose class scores highest."""
    with torch.no_grad():
        return float((model(clips.x_STF, clips.lengths_S).argmax(1) == clips.labels_S).float().mean())


def order_blind_accuracy(train_clips: Clips, test_clips: Clips) -> float:
    """Logistic regression on mean features."""
    means = []
    for clips in (train_clips, test_clips):
        starts_S = torch.arange(len(clips.lengths_S)) * clips.x_STF.shape[1]
        bounds_S2 = torch.stack([starts_S, starts_S + clips.lengths_S], dim=1)
        sequences = SequenceDataset(clips.x_STF.flatten(0, 1), bounds_S2, clips.labels_S)
        means.append(sequences.means().numpy())
    predicted = logistic_regression(means[0], train_clips.labels_S.numpy(), means[1])
    return float(np.mean(predicted == test_clips.labels_S.numpy()))


def training_seconds(
    cells: list[str], rounds: int, device: str = "cpu", *, low: bool = False
) -> dict[str, float]:
    """Forward and backward of a batch: the best of interleaved rounds, ``torch.nn.LSTM`` under ``torch``.

    Args:
        cells: names.
        rounds: of all.
        device: where they run.
        low: in bfloat16, by autocast.
    """
    x_BTF = torch.randn(BATCH, STEPS, INPUTS, device=device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    models: dict[str, nn.Module] = {"torch": nn.LSTM(INPUTS, UNITS, LAYERS, batch_first=True)}
    models |= {cell: RecurrentEncoder(INPUTS, UNITS, num_layers=LAYERS, cell=cell) for cell in cells}
    best = dict.fromkeys(models, float("inf"))
    for _ in range(rounds):
        for name, model in models.items():
            model.to(device).zero_grad()
            wait()
            began = time.perf_counter()
            with torch.autocast(device, torch.bfloat16, enabled=low):
                loss = model(x_BTF)[0].float().square().mean()
            torch.autograd.backward(loss)
            wait()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def stream_microseconds(cell: str, steps: int) -> float:
    """One step of one sequence, its state carried on: the median."""
    model = RecurrentEncoder(INPUTS, UNITS, num_layers=LAYERS, cell=cell).eval()
    x_BTF, state, took = torch.randn(1, 1, INPUTS), None, []
    with torch.inference_mode():
        for _ in range(steps):
            began = time.perf_counter()
            _, state = model(x_BTF, None, state)
            took.append(time.perf_counter() - began)
    return 1e6 * statistics.median(took)


def clip_accuracies(cell: str, options: argparse.Namespace) -> list[float]:
    """Of every fold and seed, or of the test split and every seed; the same settings for every cell."""
    csv = options.root / "clips.csv"
    folds = sorted({r.fold for r in load_dataset("csv", options.root, csv).records if r.fold is not None})
    backbone = BackboneSettings(name=options.backbone, weights=options.weights)
    scores = []
    for seed in range(options.seeds):
        for fold in folds or [None]:
            data = ActionDataSettings(format="csv", root=options.root, annotations=csv, fold=fold)
            with tempfile.TemporaryDirectory() as folder:
                metrics = train_verb(
                    "action",
                    data=data,
                    out=Path(folder),
                    store=options.store,
                    backbone=backbone,
                    model=ActionModelSettings(cell=cell, num_layers=1, frame_difference=True),
                    trainer={
                        "max_epochs": options.clip_epochs,
                        "enable_progress_bar": False,
                        "logger": False,
                    },
                    seed=seed,
                )
                score = metrics["last_epoch"]["val_accuracy"]
                if fold is None:
                    report = evaluate(
                        Path(folder) / "best.ckpt",
                        data=data,
                        out=Path(folder),
                        store=options.store,
                        side="test",
                        backbone=backbone,
                    )
                    score = report["accuracy"]
            scores.append(float(score))
            print(f"{cell} seed {seed} fold {fold}: {score:.3f}", file=sys.stderr, flush=True)
    return scores


def longest_lag(cell: str, held: Path) -> int | None:
    """The longest lag of task 2c that all runs of a cell solved."""
    runs = [r for r in json.loads(held.read_text())["runs"] if (r["cell"], r["task"]) == (cell, "2c")]
    lags = {run["lag"] for run in runs}
    solved = [lag for lag in lags if all(run["solved"] for run in runs if run["lag"] == lag)]
    return max(solved, default=None)


def measure(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Everything that is asked for, by cell."""
    rows: dict[str, dict[str, object]] = {}
    for cell in options.cells:
        encoder = RecurrentEncoder(INPUTS, UNITS, num_layers=LAYERS, cell=cell)
        rows[cell] = {
            "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "device": options.device + (" in bfloat16" if options.bfloat16 else ""),
            "processor": platform.processor() or platform.machine(),
        }
    for part in options.parts:
        PARTS[part](options, rows)
    if options.long_lag:
        for cell, row in rows.items():
            row["longest_lag_solved"] = longest_lag(cell, options.long_lag)
    return rows


def measure_motifs(options: argparse.Namespace, rows: dict[str, dict[str, object]]) -> None:
    """Adds ``accuracy``."""
    train_clips = motif_clips(options.clips, torch.Generator().manual_seed(1))
    test_clips = motif_clips(1000, torch.Generator().manual_seed(2))
    print(f"order-blind logistic regression: {order_blind_accuracy(train_clips, test_clips):.3f}", flush=True)
    for cell, row in rows.items():
        models = [train(cell, train_clips, epochs=options.epochs, seed=seed) for seed in range(options.seeds)]
        scores = [accuracy(model, test_clips) for model in models]
        row |= {"accuracy": statistics.mean(scores), "accuracy_spread": statistics.pstdev(scores)}
        print(f"{cell}: {row}", file=sys.stderr, flush=True)


def measure_speed(options: argparse.Namespace, rows: dict[str, dict[str, object]]) -> None:
    """Adds ``train_sequences_per_second``, ``train_ratio_to_torch_lstm`` and ``stream_microseconds``."""
    seconds = training_seconds(options.cells, options.rounds, options.device, low=options.bfloat16)
    for cell, row in rows.items():
        row |= {
            "train_sequences_per_second": BATCH / seconds[cell],
            "train_ratio_to_torch_lstm": seconds["torch"] / seconds[cell],
            "stream_microseconds": stream_microseconds(cell, options.steps),
        }


def measure_clips(options: argparse.Namespace, rows: dict[str, dict[str, object]]) -> None:
    """Adds ``clips_accuracy``; the spread is over folds or seeds."""
    quieten_lightning()
    for cell, row in rows.items():
        scores = clip_accuracies(cell, options)
        row |= {"clips_accuracy": statistics.mean(scores), "clips_accuracy_spread": statistics.pstdev(scores)}


PARTS = {"motifs": measure_motifs, "speed": measure_speed, "clips": measure_clips}

COLUMNS = {
    "accuracy": ("motifs, accuracy", "{accuracy:.3f} ± {accuracy_spread:.3f}"),
    "clips_accuracy": ("clips, accuracy", "{clips_accuracy:.3f} ± {clips_accuracy_spread:.3f}"),
    "longest_lag_solved": ("longest lag solved", "{longest_lag_solved}"),
    "parameters": ("parameters", "{parameters:,}"),
    "train_sequences_per_second": ("training, sequences/s", "{train_sequences_per_second:.0f}"),
    "train_ratio_to_torch_lstm": ("of torch.nn.LSTM", "{train_ratio_to_torch_lstm:.2f}"),
    "stream_microseconds": ("streaming, µs a step", "{stream_microseconds:.0f}"),
}
"""What was measured to a column's head and cells."""


def table(rows: dict[str, dict[str, object]]) -> str:
    """As Markdown, for docs/cells.md."""
    shown = [column for column in COLUMNS if all(column in row for row in rows.values())]
    lines = ["| cell | " + " | ".join(COLUMNS[column][0] for column in shown) + " |"]
    lines.append("|---" * (len(shown) + 1) + "|")
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(COLUMNS[column][1].format(**row) for column in shown) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--parts", nargs="+", default=["motifs", "speed"], choices=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="a minute: one seed, fewer clips and rounds")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=2000, help="to train on")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=20, help="of the training speed; the best counts")
    parser.add_argument("--steps", type=int, default=2000, help="of the streaming speed; the median counts")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="of the training speed")
    parser.add_argument("--bfloat16", action="store_true", help="the training speed in bfloat16, by autocast")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--root", type=Path, help="clips: the folder that holds clips.csv")
    parser.add_argument("--store", type=Path, default=Path("features"), help="clips: the feature store")
    parser.add_argument("--backbone", default="mobilenet_v2", help="clips: what the features are of")
    parser.add_argument("--weights", help="clips: the backbone's weights file")
    parser.add_argument("--clip-epochs", type=int, default=30)
    parser.add_argument("--long-lag", type=Path, help="what benchmark_long_lag.py wrote with --json")
    options = parser.parse_args()
    if "clips" in options.parts and options.root is None:
        parser.error("--parts clips needs --root")
    if options.quick:
        options.seeds, options.clips, options.epochs, options.rounds, options.steps = 1, 1000, 10, 8, 300
    torch.set_num_threads(options.threads)
    rows = measure(options)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
