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


def main() -> None:
    """Parses, draws, trains, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="takes the demo, the films and the training")
    parser.add_argument(
        "--films", type=int, default=32, help="to draw; a quarter of them tests, an eighth validates"
    )
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", help="of efficientnet_lite0; None is the offline extra")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    backbone = BackboneSettings(name="efficientnet_lite0", weights=given.weights)
    films, table = draw(given.out / "films", given.films, given.seed)
    if not (given.out / "demo" / "summary.json").is_file():
        demo(given.out / "demo", seed=given.seed, backbone=backbone)
    how: dict[str, Any] = {"backbone": backbone, "store": given.out / "features"}
    vidlstm.train(
        "segmentation",
        out=given.out / "run",
        data={"annotations": table},
        model=MODEL,
        max_epochs=given.epochs,
        seed=given.seed,
        overwrite=True,
        trainer={"enable_progress_bar": False},
        **how,
    )
    test = [
        draw_story(given.out / "demo" / "data", seed=given.seed),
        *films[:: len(SIDES) // SIDES.count("test")],
    ]
    rows: dict[str, dict[str, float]] = {}
    for name, run in (("clip classifier", given.out / "demo" / "run"), ("segmentation", given.out / "run")):
        model: Any = vidlstm.load(run / "best.ckpt", backbone=backbone)
        scores = [scores_of(model.predict(film).segments, truth) for film, truth in test]
        rows[f"{name}, the demo's film"] = scores[0]
        rows[f"{name}, all"] = {key: float(np.mean([s[key] for s in scores])) for key in scores[0]}
    Console().print(results_table(rows, title=f"{len(test)} films that neither was trained on"))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
