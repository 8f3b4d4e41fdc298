"""What happens when, in videos with timed labels and folds: every fold held out once, baselines beside.

    python scripts/benchmark_segmentation.py --annotations FILE --videos DIR --weights FILE --json FILE

Each config is a row. No epoch is chosen on the held-out fold: the last one counts. Every video is labelled by
the network that has not seen its fold, and all videos are scored together, once a seed; mean and spread are
over seeds. Flags of ``vidlstm train`` win over the configs. Made for the falls recordings.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning import Trainer, seed_everything
from rich.console import Console
from rich.progress import track

from vidlstm.backbones.cpu import keep_freed_memory
from vidlstm.cli.parsing import parse, section_fields
from vidlstm.cli.train import train_parser
from vidlstm.inference.online import OnlineSegments
from vidlstm.render.table.results_table import results_table
from vidlstm.settings import OnlineSettings
from vidlstm.tasks import TASKS
from vidlstm.tasks.base import Run
from vidlstm.tasks.segmentation.data import read_videos
from vidlstm.tasks.segmentation.evaluation import (
    baseline_probabilities,
    ignored_of,
    predictions_of,
    steps_beside,
    steps_of,
)
from vidlstm.tasks.segmentation.scores import TOLERANCE_SECONDS, events_of, scores_of, unmerged_scores
from vidlstm.training.segmentation_metrics import Alarms, alarms_of
from vidlstm.training.trainer import quieten_lightning
from vidlstm.verbs.train import KEPT_MEGABYTES

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from vidlstm.cards import SegmentationCard
    from vidlstm.tasks.segmentation.scores import Steps

CONFIGS = Path(__file__).parents[1] / "configs" / "segmentation"
QUIET = {
    "enable_progress_bar": False,
    "enable_checkpointing": False,
    "logger": False,
    "limit_val_batches": 0,
}
LEVEL = 0.5
"""The probability from which the table's alarms are."""
ENTER = (0.5, 0.7, 0.9)
"""``online.enter`` of ``watch``; ``online.leave`` is 0.2 below."""


def settings_of(config: Path, weights: str | None, arguments: argparse.Namespace, out: Path) -> Namespace:
    """A config, on the videos that were asked for."""
    argv = ["--config", str(config), "--out", str(out), *arguments.flags]
    settings = parse(train_parser(TASKS["segmentation"]), argv)
    settings.data.annotations, settings.data.root = arguments.annotations, arguments.videos
    settings.backbone.weights = weights or settings.backbone.weights
    settings.store = arguments.store or out / "features"
    return settings


def sections_of(settings: Namespace) -> dict[str, Any]:
    """The settings of the task, by section."""
    return {name: settings[name] for name in section_fields(TASKS["segmentation"].settings)}


def labelled(settings: Namespace, seed: int) -> tuple[SegmentationCard, list[Steps]]:
    """What the network of the last epoch says of the held-out videos, and its card."""
    task, sections = TASKS["segmentation"], TASKS["segmentation"].settings(**sections_of(settings))
    task.check(sections)
    seed_everything(seed, workers=True, verbose=False)
    data, card = task.prepare(sections, Run(settings.store, seed, settings.device))
    trainer = Trainer(**{**vars(settings.trainer), **QUIET})
    module: Any = task.module(sections, card, data, trainer)
    trainer.fit(module, datamodule=data)
    return card, steps_of(data, predictions_of(module.model.eval(), card, data))


def baselines(settings: Namespace, folds: list[int]) -> dict[str, list[Steps]]:
    """What the trivial rows say of all videos, each held out once."""
    found: dict[str, list[Steps]] = {}
    for settings.data.fold in track(folds, "baselines", console=Console(stderr=True)):
        task = TASKS["segmentation"]
        data, card = task.prepare(task.settings(**sections_of(settings)), Run(settings.store))
        for name, said in baseline_probabilities(len(card.labels), data).items():
            found.setdefault(name, []).extend(steps_beside(data, said))
    return found


def run(config: Path, weights: str | None, arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """All folds and seeds of one config; returns the figures."""
    settings = settings_of(config, weights, arguments, out)
    dataset = read_videos(settings.data)
    folds = arguments.folds or sorted({video.fold for video in dataset.videos} - {None})
    shortest, scored = settings.data.minimum_seconds, []
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    for seed in track(seeds, f"training {config.stem}", console=Console(stderr=True)):
        videos: list[Steps] = []
        for settings.data.fold in folds:
            card, said = labelled(settings, seed)
            videos += said
        ignored, labels = ignored_of(card), card.labels
        scores = scores_of(videos, minimum_seconds=shortest, ignored=ignored)
        unmerged = unmerged_scores(videos, ignored)
        raw = {f"{name} (unmerged)": value for name, value in unmerged.items() if "map" not in name}
        scored.append({"scores": {**scores, **raw}, "events": events_of(videos, labels, ignored)})
        if arguments.event:
            scored[-1]["watched"] = watched(videos, labels, ignored, arguments.event)
    rows = {name: [one["scores"][name] for one in scored] for name in scored[0]["scores"]}
    trivial = {} if arguments.no_baselines else baselines(settings, folds)
    return {
        "mean": {name: float(np.mean(values)) for name, values in rows.items()},
        "sd": {
            name: float(np.std(values, ddof=1)) if len(values) > 1 else 0.0 for name, values in rows.items()
        },
        "events": [one["events"] for one in scored],
        "watched": [one["watched"] for one in scored if "watched" in one],
        "baselines": {
            name: scores_of(videos, minimum_seconds=shortest, ignored=ignored)
            for name, videos in trivial.items()
        },
        "causal": not settings.model.bidirectional,
        "backbone": settings.backbone.name,
        "epochs": settings.trainer.max_epochs,
        "folds": folds,
    }


def watched(videos: list[Steps], labels: tuple[str, ...], ignored: Any, event: str) -> list[dict[str, float]]:
    """What ``watch`` would have said of one class meanwhile, at three thresholds of its rule."""
    known, rows = labels.index(event), []
    for enter in ENTER:
        rule, total = OnlineSettings(enter=enter, leave=enter - 0.2), Alarms()
        for video in videos:
            online = OnlineSegments(labels, rule, silent=[labels[k] for k in ignored])
            begun_T = np.array(
                [
                    any(change.kind == "start" and change.label == event for change in online.push(*step))
                    for step in zip(video.times_T.tolist(), video.probabilities_TK, strict=True)
                ]
            )
            total.add(
                alarms_of(
                    video.times_T,
                    begun_T.astype(float),
                    video.there_TK[:, known],
                    threshold=1.0,
                    known_T=video.known_T,
                    tolerance_seconds=TOLERANCE_SECONDS,
                )
            )
        rows.append({"enter": enter, "leave": rule.leave, **total.as_dict()})
    return rows


def alarm_rows(results: dict[str, dict[str, Any]], event: str) -> dict[str, dict[str, float]]:
    """Of one class, what alarms from :data:`LEVEL` on are worth, the mean over seeds."""
    rows = {}
    for name, result in results.items():
        seeds = [one for events in result["events"] for one in events[event] if one["threshold"] == LEVEL]
        rows[name] = {key: float(np.mean([seed[key] for seed in seeds])) for key in seeds[0]}
    return rows


def tables(results: dict[str, dict[str, Any]], event: str | None) -> list[Any]:
    """What is printed."""
    rows: dict[str, dict[str, float]] = {}
    for name, result in results.items():
        kept = [key for key in result["mean"] if "unmerged" not in key]
        rows |= {f"{result['backbone']} {row}": scores for row, scores in result["baselines"].items()}
        rows |= {name: {key: result["mean"][key] for key in kept}}
        rows |= {f"{name} ± over seeds": {key: result["sd"][key] for key in kept}}
    made = [results_table(rows, title="every fold held out, all videos scored together")]
    if event:
        made.append(results_table(alarm_rows(results, event), title=f"alarms on {event} from {LEVEL} on"))
        said = {
            f"{name}, enter {rows[0]['enter']}": {
                key: float(np.mean([row[key] for row in rows]))
                for key in rows[0]
                if key not in ("enter", "leave")
            }
            for name, result in results.items()
            if result["causal"]
            for rows in zip(*result["watched"], strict=True)
        }
        if said:
            made.append(results_table(said, title=f"what watch says of {event}"))
    return made


def main() -> None:
    """Parses arguments, trains fold by fold, prints tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--annotations", type=Path, required=True, help="the file of timed labels, with folds"
    )
    parser.add_argument("--videos", type=Path, help="the folder of the videos; else that of the annotations")
    parser.add_argument("--weights", nargs="+", default=[None], help="of the backbone; one, or one a config")
    parser.add_argument("--store", type=Path, help="keep the features here")
    parser.add_argument("--folds", type=int, nargs="+", help="those to hold out; all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--event", help="a class whose alarms are shown, such as falling")
    parser.add_argument(
        "--config",
        type=Path,
        nargs="+",
        default=[CONFIGS / "bidirectional.yaml", CONFIGS / "live.yaml"],
        help="what to train; a row each",
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments, arguments.flags = parser.parse_known_args()
    weights = arguments.weights * (1 if len(arguments.weights) > 1 else len(arguments.config))
    if len(weights) != len(arguments.config):
        parser.error(f"{len(arguments.config)} configs, {len(arguments.weights)} --weights")
    quieten_lightning()
    keep_freed_memory(KEPT_MEGABYTES)
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for config, files in zip(arguments.config, weights, strict=True):
            results[config.stem] = run(config, files, arguments, Path(folder))
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    for table in tables(results, arguments.event):
        Console(width=150).print(table)


if __name__ == "__main__":
    main()
