"""Accuracy on labelled clips with groups and folds: every fold held out once, baselines beside.

    python scripts/benchmark_accuracy.py --root DIR --weights FILE --json FILE

No epoch is chosen on the held-out fold: the last one counts. Each config is a row; the figures at the top of
the JSON file are those of the last one given. Flags of ``vidlstm train`` win over the configs. Made for the
Surveillance Camera Fight clips.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import track

from vidlstm.backbones.build import build_backbone
from vidlstm.cli.parsing import parse, section_fields
from vidlstm.cli.progress import ExtractionBar
from vidlstm.cli.train import chosen_task, train_parser
from vidlstm.datasets import load_dataset
from vidlstm.render.table.results_table import results_table
from vidlstm.structures import Progress
from vidlstm.tasks import task_named
from vidlstm.tasks.action.data import gather_clips
from vidlstm.tasks.base import Run
from vidlstm.tasks.object_action.data import gather_objects
from vidlstm.tasks.object_action.network import object_network
from vidlstm.training.baselines import late_regression, majority_class
from vidlstm.training.trainer import quieten_lightning
from vidlstm.verbs.train import train

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from vidlstm.datasets import ClipDataset
    from vidlstm.structures import SequenceBatch

CONFIGS = Path(__file__).parents[1] / "configs" / "action"


def statistics(batch: SequenceBatch) -> np.ndarray:
    """Mean, spread and mean |difference| of the features of a clip, or of all its objects, ``(3, F)``."""
    pieces = [
        x_TF[:length].float().numpy() for x_TF, length in zip(batch.x_BTF, batch.lengths_B, strict=True)
    ]
    x, changes = np.concatenate(pieces), np.concatenate([np.abs(np.diff(piece, axis=0)) for piece in pieces])
    return np.stack([x.mean(0), x.std(0), changes.mean(0) if len(changes) else np.zeros_like(x[0])])


def baselines(settings: Namespace, dataset: ClipDataset) -> dict[str, list[float]]:
    """Per fold: the majority class, and logistic regressions on means and on order-blind statistics.

    The last of them has a regression for each of joined networks, and adds their log-probabilities. Features
    that are missing are extracted.
    """
    common = {
        "data": settings.data,
        "sampling": settings.sampling,
        "batch_size": settings.backbone.batch_size,
    }
    with ExtractionBar() as bar:
        common["run"] = Run(settings.store, progress=Progress(extraction=bar))
        network: Any
        if settings.task == "object_action":
            network = object_network(settings.backbone, crop_margin=settings.data.crop_margin)
            data: Any = gather_objects([], dataset.records, dataset.labels, network=network, **common)
        else:
            network = build_backbone(settings.backbone)
            data = gather_clips([], dataset.records, dataset.labels, backbone=network, **common)
    clips = data.validation_set
    x_S3F = np.stack([statistics(clips[[i]]) for i in range(len(clips))])
    parts = {
        "logistic_mean": [x_S3F[:, 0]],
        "logistic_statistics": [x_S3F],
        "logistic_late": np.split(x_S3F, np.cumsum(network.part_dims)[:-1], axis=2),
    }
    truth = clips.targets.numpy()
    fold = np.array([record.fold for record in data.validation_records])
    rows: dict[str, list[float]] = {name: [] for name in ("majority", *parts)}
    for held_out in sorted(set(fold)):
        train, test = fold != held_out, fold == held_out
        commonest = majority_class(truth[train], int(test.sum()))
        rows["majority"].append(float((commonest == truth[test]).mean()))
        for name, of_each in parts.items():
            flat = [part.reshape(len(part), -1) for part in of_each]
            predicted = late_regression([p[train] for p in flat], truth[train], [p[test] for p in flat])
            rows[name].append(float((predicted == truth[test]).mean()))
    return rows


def settings_of(config: Path, weights: str | None, arguments: argparse.Namespace, out: Path) -> Namespace:
    """A config, on the clips that were asked for."""
    argv = ["--config", str(config), "--out", str(out), *arguments.flags]
    settings = parse(train_parser(task_named(chosen_task(argv))), argv)
    settings.data.format, settings.data.root = "csv", arguments.root
    settings.data.annotations = arguments.annotations or arguments.root / "clips.csv"
    settings.backbone.weights = weights or settings.backbone.weights
    settings.store = arguments.store or out / "features"
    return settings


def run(config: Path, weights: str | None, arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """All folds and seeds of one config; returns the figures."""
    settings = settings_of(config, weights, arguments, out)
    dataset = load_dataset("csv", settings.data.root, settings.data.annotations)
    rows = baselines(settings, dataset)
    folds = len(rows["majority"])
    scores = np.zeros((arguments.seeds, folds))
    trainer = {**vars(settings.trainer), "enable_progress_bar": False}
    sections = section_fields(task_named(settings.task).settings)
    cases = [(seed, fold) for seed in range(arguments.seeds) for fold in range(folds)]
    for seed, settings.data.fold in track(cases, f"training {config.stem}", console=Console(stderr=True)):
        metrics = train(
            settings.task,
            out=out / f"{config.stem}-{seed}-{settings.data.fold}",
            store=settings.store,
            trainer=trainer,
            seed=seed,
            overwrite=True,
            **{name: settings[name] for name in sections},
        )
        scores[seed, settings.data.fold] = metrics["last_epoch"]["val_accuracy"]
    return {
        "mean": float(scores.mean()),
        "sd": float(scores.mean(1).std(ddof=1)) if arguments.seeds > 1 else 0.0,
        "sd_over_folds": float(scores.mean(0).std(ddof=1)),
        **{name: float(np.mean(values)) for name, values in rows.items()},
        "folds": {"lstm": scores.tolist(), **rows},
        "backbone": settings.backbone.name,
        "epochs": settings.trainer.max_epochs,
    }


def main() -> None:
    """Parses arguments, trains fold by fold, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="the folder of the clips")
    parser.add_argument("--annotations", type=Path, help="CSV with path,label,group,fold; ROOT/clips.csv")
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[None],
        help="the backbone's weights; one for all configs, or one each",
    )
    parser.add_argument("--store", type=Path, help="keep the features here")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--config",
        type=Path,
        nargs="+",
        default=[CONFIGS / "mobilenet_v2_lstm.yaml", CONFIGS / "motion_lstm.yaml"],
        help="what to train; one row each, the last one counts",
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments, arguments.flags = parser.parse_known_args()
    if len(arguments.weights) not in (1, len(arguments.config)):
        parser.error(f"{len(arguments.config)} configs, {len(arguments.weights)} --weights")
    weights = arguments.weights * (len(arguments.config) // len(arguments.weights))
    quieten_lightning()
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for config, files in zip(arguments.config, weights, strict=True):
            results[config.stem] = run(config, files, arguments, Path(folder))
            if arguments.json:
                report = {**results[config.stem], "configs": results}
                arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    rows = {
        "LSTM": "mean",
        "± over seeds": "sd",
        "± over folds": "sd_over_folds",
        "logistic regression on mean features": "logistic_mean",
        "... on mean, spread and |difference|": "logistic_statistics",
        "... the same, one regression a network": "logistic_late",
        "majority class": "majority",
    }
    table = {row: {name: result[key] for name, result in results.items()} for row, key in rows.items()}
    Console().print(results_table(table, title=f"accuracy, {arguments.seeds} seeds, every fold held out"))


if __name__ == "__main__":
    main()
