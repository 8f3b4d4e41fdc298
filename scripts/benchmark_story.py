"""What happens when, on drawn films: learned from timed labels, beside a clip classifier that slides.

    python scripts/benchmark_story.py --out DIR --json FILE

Runs the demo, whose classifier learns from clips, draws other films with other figures and orders of actions,
trains ``--task segmentation`` on some of them, and labels the demo's film and the rest with both. The scores
are means over films; a boundary is as far off as the nearest that is predicted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import track

import vidlstm
from vidlstm.demo.story import draw_story
from vidlstm.files import write_csv
from vidlstm.inference.labelling import step_classes
from vidlstm.render.table.results_table import results_table
from vidlstm.settings import BackboneSettings
from vidlstm.training.segmentation_metrics import f1_of, segment_matches
from vidlstm.verbs.demo import demo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.structures import Segment

STEP_SECONDS = 0.05
"""In which films are compared: that of a frame."""
SIDES = ("test", "train", "validation", "train", "test", "train", "train", "train")
"""Of one film after another."""
MODEL = {"projection": 128, "hidden_size": 128, "frame_difference": True, "dropout": 0.3}


def draw(out: Path, count: int, seed: int) -> tuple[list[tuple[Path, Sequence[Segment]]], Path]:
    """Films and what is true of them, and the table of all their labels and sides."""
    films = [
        draw_story(out, seed=seed, number=number)
        for number in track(range(1, count + 1), "drawing", console=Console(stderr=True))
    ]
    rows = [
        (film.name, s.start_seconds, s.end_seconds, s.label, SIDES[number % len(SIDES)])
        for number, (film, truth) in enumerate(films)
        for s in truth
    ]
    table = out / "segments.csv"
    write_csv(("path", "start_seconds", "end_seconds", "label", "split"), rows, table)
    return list(films), table


def scores_of(predicted: Sequence[Segment], truth: Sequence[Segment]) -> dict[str, float]:
    """Of one film."""
    labels = tuple(sorted({s.label for s in (*predicted, *truth)}))
    times = np.arange(truth[0].start_seconds, truth[-1].end_seconds, STEP_SECONDS)
    said, known = (step_classes(times, tuple(some), labels) for some in (predicted, truth))
    borders = np.array([s.start_seconds for s in predicted[1:]] or [np.inf])
    return {
        "frame_accuracy": float((said == known).mean()),
        "f1@50": f1_of(*map(int, segment_matches(said, known, 0.5))),
        "boundary_seconds": float(np.median([np.abs(borders - s.start_seconds).min() for s in truth[1:]])),
    }


def run(out: Path, seed: int, given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Draws, trains and compares with one seed; returns the scores of each network on the demo's film and on
    all that test.
    """
    backbone = BackboneSettings(name="efficientnet_lite0", weights=given.weights)
    films, table = draw(out / "films", given.films, seed)
    if not (out / "demo" / "summary.json").is_file():
        demo(out / "demo", seed=seed, backbone=backbone)
    vidlstm.train(
        "segmentation",
        out=out / "run",
        data={"annotations": table},
        model=MODEL,
        max_epochs=given.epochs,
        seed=seed,
        overwrite=True,
        trainer={"enable_progress_bar": False},
        backbone=backbone,
        store=out / "features",
    )
    test = [draw_story(out / "demo" / "data", seed=seed), *films[:: len(SIDES) // SIDES.count("test")]]
    rows: dict[str, dict[str, float]] = {}
    for name, folder in (("clip classifier", out / "demo" / "run"), ("segmentation", out / "run")):
        model: Any = vidlstm.load(folder / "best.ckpt", backbone=backbone)
        scores = [scores_of(model.predict(film).segments, truth) for film, truth in test]
        rows[f"{name}, the demo's film"] = scores[0]
        rows[f"{name}, all {len(test)} films"] = mean_of(scores)
    return rows


def mean_of(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of every score, the mean."""
    return {key: float(np.mean([one[key] for one in scores])) for key in scores[0]}


def spread_of(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of every score, the sample standard deviation."""
    return {key: float(np.std([one[key] for one in scores], ddof=1)) for key in scores[0]}


def main() -> None:
    """Parses, compares seed by seed, prints mean and spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="takes the demo, films and training of each seed"
    )
    parser.add_argument(
        "--films", type=int, default=32, help="to draw; a quarter of them tests, an eighth validates"
    )
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3, help="of drawings and trainings alike")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--weights", help="of efficientnet_lite0; None is the offline extra")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {}
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        for name, scores in run(given.out / f"seed{seed}", seed, given).items():
            results.setdefault(name, []).append(scores)
        if given.json:
            given.json.write_text(json.dumps(results, indent=1) + "\n")
    rows = {name: mean_of(scores) for name, scores in results.items()}
    if given.seeds > 1:
        rows |= {f"{name} ±": spread_of(scores) for name, scores in results.items()}
    Console().print(results_table(rows, title="films that neither was trained on"))


if __name__ == "__main__":
    main()
