"""Accuracy on labelled clips with groups and folds: every fold held out once, baselines beside.

No epoch is chosen on the held-out fold: the last one counts. For the Surveillance Camera Fight clips:
``python scripts/benchmark_accuracy.py --root DIR --weights FILE --json FILE``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vidlstm.cli.progress import quieten_lightning
from vidlstm.datasets import load_dataset
from vidlstm.features.extract import make_store
from vidlstm.features.spec import hash_video
from vidlstm.settings import ActionDataSettings, ActionModelSettings, BackboneSettings, SamplingSettings
from vidlstm.workflows.extract import backbone_from, extract
from vidlstm.workflows.train_action import train_action

LOGISTIC_C = 0.003


def statistics(features_TF: np.ndarray) -> np.ndarray:
    """Mean, spread and mean |difference| of a clip's features over time, ``(3 F,)``."""
    x = features_TF.astype(np.float32)
    change = np.abs(np.diff(x, axis=0)).mean(0) if len(x) > 1 else np.zeros_like(x[0])
    return np.concatenate([x.mean(0), x.std(0), change])


def baselines(arguments: argparse.Namespace, backbone: BackboneSettings) -> dict[str, list[float]]:
    """Per fold: the majority class, and logistic regression on means and on order-blind statistics."""
    dataset = load_dataset("csv", arguments.root, arguments.annotations)
    network = backbone_from(backbone)
    store = make_store(arguments.store, network, fps=SamplingSettings().fps)
    clips = [statistics(store.get(hash_video(r.path)).features) for r in dataset.records]
    x, width = np.stack(clips), network.feature_dim
    truth = np.array([dataset.labels.index(r.label) for r in dataset.records])
    fold = np.array([r.fold for r in dataset.records])
    rows: dict[str, list[float]] = {"majority": [], "logistic_mean": [], "logistic_statistics": []}
    for held_out in sorted(set(fold)):
        train, test = fold != held_out, fold == held_out
        rows["majority"].append(float((truth[test] == np.bincount(truth[train]).argmax()).mean()))
        for name, columns in (("logistic_mean", slice(0, width)), ("logistic_statistics", slice(None))):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=LOGISTIC_C, max_iter=2000))
            model.fit(x[train][:, columns], truth[train])
            rows[name].append(float((model.predict(x[test][:, columns]) == truth[test]).mean()))
    return rows


def main() -> None:
    """Parses arguments, trains fold by fold, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the folder of the clips")
    parser.add_argument("--annotations", type=Path, help="CSV with path,label,group,fold; ROOT/clips.csv")
    parser.add_argument("--weights", required=True, help="mobilenet_v2's weights file")
    parser.add_argument("--store", type=Path, help="keep the features here")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    quieten_lightning()
    arguments.annotations = arguments.annotations or arguments.root / "clips.csv"
    with tempfile.TemporaryDirectory() as folder:
        arguments.store = arguments.store or Path(folder) / "features"
        result = run(arguments, Path(folder))
    print(json.dumps({k: v for k, v in result.items() if k != "folds"}, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All folds and seeds; returns the figures."""
    backbone = BackboneSettings(name="mobilenet_v2", weights=arguments.weights)
    extract([arguments.root], store=arguments.store, backbone=backbone)
    rows = baselines(arguments, backbone)
    folds = range(len(rows["majority"]))
    scores = np.zeros((arguments.seeds, len(folds)))
    for seed in range(arguments.seeds):
        for fold in folds:
            data = ActionDataSettings(
                format="csv", root=arguments.root, annotations=arguments.annotations, fold=fold
            )
            metrics = train_action(
                data=data,
                out=folder / "run",
                store=arguments.store,
                backbone=backbone,
                model=ActionModelSettings(),
                trainer={"max_epochs": arguments.epochs, "enable_progress_bar": False},
                seed=seed,
            )
            scores[seed, fold] = metrics["last_epoch"]["val_accuracy"]
            print(f"seed {seed} fold {fold}: {scores[seed, fold]:.3f}", flush=True)
    return {
        "mean": float(scores.mean()),
        "sd": float(scores.mean(1).std(ddof=1)) if arguments.seeds > 1 else 0.0,
        "sd_over_folds": float(scores.mean(0).std(ddof=1)),
        **{name: float(np.mean(values)) for name, values in rows.items()},
        "folds": {"lstm": scores.tolist(), **rows},
        "epochs": arguments.epochs,
    }


if __name__ == "__main__":
    main()
