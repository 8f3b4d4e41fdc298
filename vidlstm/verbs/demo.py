"""``demo``: the whole job on clips it draws itself: draw, extract, train, evaluate, predict."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars

from vidlstm.demo.actions import ORDER_PAIR
from vidlstm.demo.clips import draw_dataset
from vidlstm.demo.story import draw_story
from vidlstm.devices import resolve_device
from vidlstm.errors import OutputError
from vidlstm.files import check_writable, held, write_json
from vidlstm.inference.segments import mean_iou
from vidlstm.render.events import EventFile
from vidlstm.settings import (
    ActionDataSettings,
    ActionModelSettings,
    BackboneSettings,
    Count,
    Figures,
    OptimiserSettings,
    Seed,
    path_from,
    value_from,
)
from vidlstm.training.segmentation_metrics import Alarms, alarms_at
from vidlstm.verbs.evaluate import evaluate
from vidlstm.verbs.predict import predict
from vidlstm.verbs.train import train
from vidlstm.verbs.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vidlstm.render.live.listener import Event
    from vidlstm.structures import Progress, Segment

FIGURES, EPOCHS = 36, 30
MODEL = ActionModelSettings(num_layers=1, dropout=0.3, input_dropout=0.3, frame_difference=True)
CAUSAL = replace(MODEL, bidirectional=False, pooling="last")
OPTIMISER = OptimiserSettings(learning_rate=2e-3)


@dataclass(frozen=True)
class DemoReport:
    """Where everything went, and how well it worked.

    Attributes:
        summary: what ``summary.json`` holds.
        evaluation: what ``evaluation/report.json`` holds.
        files: name to path, for people.
    """

    summary: dict[str, Any]
    evaluation: dict[str, Any]
    files: dict[str, Path]


def demo(
    out: Path,
    *,
    seed: int = 0,
    figures: int = FIGURES,
    epochs: int = EPOCHS,
    backbone: BackboneSettings | None = None,
    trainer: dict[str, Any] | None = None,
    device: str | None = None,
    step: Callable[[str], None] = lambda text: None,
    progress: Progress | None = None,
) -> DemoReport:
    """Draws clips, trains on them and annotates an unseen video.

    Args:
        out: takes the clips, the checkpoint, the evaluation and the annotated video; those of an earlier demo
            are replaced.
        seed: of the drawings and of the training.
        figures: how many people are drawn; fewer is faster and less accurate.
        epochs: of training.
        backbone: None is efficientnet_lite0 from the offline extra, the same everywhere.
        trainer: arguments of Lightning's ``Trainer``.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        step: told what begins.
        progress: told of the extraction.

    Raises:
        OutputError: ``out/run`` is not that of an earlier demo.
        WeightsError: the offline extra is not installed.
    """
    started, out = time.monotonic(), path_from(out, "out")
    seed, figures = value_from(Seed, seed, name="seed"), value_from(Figures, figures, name="figures")
    epochs = value_from(Count, epochs, name="epochs")
    check_writable(out)
    resolve_device(device)  # is it there? before anything is drawn
    backbone = backbone or BackboneSettings(name="efficientnet_lite0")
    again = (out / "data" / "story.mp4").exists()
    for folder in (out / "run", out / "live"):
        if folder.exists() and not again:
            raise OutputError(
                f"{folder} is not of an earlier demo, and is not replaced; choose another `out`"
            )
    with held(out / "summary.json"):
        annotations = out / "data" / "clips.csv"
        data = ActionDataSettings(format="csv", root=out / "data", annotations=annotations, batch_size=16)
        step(f"drawing clips of {figures} figures, and one longer video of a figure that is in none of them")
        draw_dataset(out / "data", seed=seed, figures=figures)
        story, truth = draw_story(out / "data", seed=seed)
        learn = partial(
            train,
            "action",
            data=data,
            store=out / "features",
            backbone=backbone,
            optimiser=OPTIMISER,
            max_epochs=epochs,
            trainer=trainer,
            seed=seed,
            overwrite=again,
            device=device,
            progress=progress,
        )
        step("extracting features with the frozen backbone, then training the LSTM on them")
        learn(out=out / "run", model=MODEL)
        checkpoint = out / "run" / "best.ckpt"
        step("evaluating on the clips of unseen figures")
        evaluation = evaluate(
            checkpoint,
            data=data,
            out=out / "evaluation",
            store=out / "features",
            backbone=backbone,
            device=device,
            progress=progress,
        )
        step("annotating the longer video")
        prediction = predict(
            checkpoint,
            story,
            out=out / "prediction",
            backbone=backbone,
            device=device,
            truth=tuple(truth),
            progress=progress,
        )
        step("training one that reads forwards alone, and watching the video with it as if it were live")
        learn(out=out / "live", model=CAUSAL)
        summary = {
            **scores_of(out, evaluation),
            "segment_mean_iou": mean_iou(prediction.predictions[0].segments, tuple(truth)),
            "live": watched(out / "live", story, truth, backbone=backbone, device=device),
            "test_clips": evaluation["clips"],
            "seed": seed,
            "seconds": round(time.monotonic() - started, 1),
        }
        write_json(summary, out / "summary.json")
        return DemoReport(summary, evaluation, files_in(out))


def watched(folder: Path, story: Path, truth: Sequence[Segment], **options: Any) -> dict[str, Any]:
    """Watches the story frame by frame, and writes ``events.jsonl``.

    Returns:
        How many ``events`` there were, the share that was ``noticed`` while they lasted, and so on; see
        :meth:`~vidlstm.training.segmentation_metrics.Alarms.as_dict`.
    """
    said: dict[str, list[float]] = {segment.label: [] for segment in truth}
    (folder / "events.jsonl").unlink(missing_ok=True)
    with closing(EventFile(folder / "events.jsonl")) as file:

        def told(event: Event) -> None:
            file(event)
            if event["event"] == "start":
                said[event["label"]].append(event["seconds"])

        watch(folder / "best.ckpt", story, on_event=told, **options)
    total = Alarms(hours=truth[-1].end_seconds / 3600)
    for label, moments in said.items():
        lasted = [(s.start_seconds, s.end_seconds) for s in truth if s.label == label]
        total.add(alarms_at(np.array(moments), lasted, hours=0.0))
    return {**total.as_dict(), "false_alarms": total.false_alarms}


def scores_of(out: Path, evaluation: dict[str, Any]) -> dict[str, Any]:
    """The accuracies of a demo's network and of its baselines."""
    return {
        "accuracy": evaluation["accuracy"],
        "baselines": {name: row["accuracy"] for name, row in evaluation["baselines"].items()},
        **order_pair_accuracies(out / "evaluation" / "predictions.csv"),
    }


def files_in(out: Path) -> dict[str, Path]:
    """What a demo leaves to look at."""
    return {
        "clips": out / "data" / "clips",
        "checkpoint": out / "run" / "best.ckpt",
        "evaluation": out / "evaluation",
        "events": out / "live" / "events.jsonl",
        "annotated video": out / "prediction" / "story.mp4",
        "timeline": out / "prediction" / "story.png",
        "summary": out / "summary.json",
    }


def order_pair_accuracies(predictions: Path) -> dict[str, float]:
    """The LSTM's and the order-blind baseline's accuracy on the two actions that differ in order alone."""
    rows = polars.read_csv(predictions).filter(polars.col("label").is_in(ORDER_PAIR))
    truth = rows["label"].to_numpy()
    return {
        "order_pair_accuracy": float(np.mean(rows["predicted"].to_numpy() == truth)),
        "order_pair_baseline_accuracy": float(np.mean(rows["logistic_regression"].to_numpy() == truth)),
    }
