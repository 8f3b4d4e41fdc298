"""``vidlstm demo``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.parsing import Parser, add_device, new_parser, parse
from vidlstm.cli.progress import DrawingBar, ExtractionBar, TrainingBar, show_lines
from vidlstm.cli.terminal import say
from vidlstm.settings import Figures, Seed
from vidlstm.structures import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence


def demo_parser() -> Parser:
    """Every setting of ``demo``."""
    parser = new_parser(
        "demo", "Draws labelled clips, trains on them and annotates an unseen video; no data, no download."
    )
    parser.add_argument("--out", type=Path, default=Path("vidlstm-demo"), help="takes everything")
    parser.add_argument("--seed", type=Seed, default=0, help="of the drawings and of the training")
    parser.add_argument("--figures", type=Figures, default=36, help="how many people are drawn")
    add_device(parser)
    return parser


def run(argv: Sequence[str]) -> int:
    """Runs everything, and shows the result beside the baselines."""
    settings = parse(demo_parser(), argv)

    from vidlstm.render.table.results_table import results_table
    from vidlstm.verbs.demo import demo

    started = time.monotonic()

    def tell(text: str) -> None:
        say(f"[{time.monotonic() - started:5.1f} s] {text}")

    with ExtractionBar() as bar, TrainingBar() as training_bar, DrawingBar() as drawing_bar:
        report = demo(
            settings.out,
            seed=settings.seed,
            figures=settings.figures,
            device=settings.device,
            step=tell,
            progress=Progress(extraction=bar, training=training_bar, drawing=drawing_bar),
        )
    summary = report.summary
    rows = {
        "LSTM": {"unseen figures": summary["accuracy"], "order pair": summary["order_pair_accuracy"]},
        "logistic regression on mean features": {
            "unseen figures": summary["baselines"]["logistic_regression_on_mean_features"],
            "order pair": summary["order_pair_baseline_accuracy"],
        },
        "majority class": {"unseen figures": summary["baselines"]["majority_class"]},
    }
    table = results_table(rows, title=f"accuracy on {summary['test_clips']} clips")
    show_lines([table])
    say(f"segments of the longer video against the truth: mean IoU {summary['segment_mean_iou']:.2f}")
    live = summary["live"]
    say(
        f"watched live: {round(live['noticed'] * live['events'])} of {live['events']} actions noticed, after "
        f"{live['median_delay_seconds']:.1f} s in the median; {live['false_alarms']} false alarms"
    )
    width = max(map(len, report.files))
    for name, path in report.files.items():
        say(f"{name:<{width}}  {path}")
    tell("done")
    return 0
