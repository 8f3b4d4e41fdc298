"""``vidlstm evaluate CHECKPOINT``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidlstm.cli.parsing import cards_in, new_parser, parse
from vidlstm.cli.progress import ExtractionBar
from vidlstm.settings import ActionDataSettings, BackboneSettings, SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(argv: Sequence[str]) -> int:
    """Runs the verb."""
    from vidlstm.cli import trajectory

    if any(card.get("task") == "trajectory" for _, card in cards_in(argv)):
        return trajectory.run_evaluate(argv)
    parser = new_parser("evaluate", "A checkpoint's accuracy beside its trivial baselines, clip by clip.")
    parser.add_argument("checkpoint", type=Path, help="what train wrote")
    parser.add_argument("--out", type=Path, required=True, help="takes report.json and the pictures")
    parser.add_argument(
        "--store", type=Path, default=Path("features"), help="the feature store's root folder"
    )
    parser.add_argument(
        "--side",
        type=Literal["auto", "validation", "test", "all"],
        default="auto",
        help="which clips; auto takes the test clips where there are any, else the validation clips",
    )
    parser.add_class_arguments(ActionDataSettings, "data")
    parser.add_class_arguments(BackboneSettings, "backbone")
    parser.add_class_arguments(SamplingSettings, "sampling")
    settings = parse(parser, argv)

    from rich.console import Console

    from vidlstm.render.table.results_table import results_table
    from vidlstm.verbs.evaluate_action import evaluate_action

    with ExtractionBar() as bar:
        report = evaluate_action(
            settings.checkpoint,
            data=settings.data,
            out=settings.out,
            store=settings.store,
            side=settings.side,
            backbone=settings.backbone,
            sampling=settings.sampling,
            progress=bar,
        )
    scores = ("accuracy", "top5_accuracy", "mean_class_accuracy", "macro_f1")
    rows = {"model": {name: report[name] for name in scores}, **report["baselines"]}
    Console().print(results_table(rows))
    print(f"{report['clips']} {report['side']} clips; {settings.out / 'report.json'}")
    return 0
