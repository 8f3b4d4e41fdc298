"""``vidlstm evaluate CHECKPOINT``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidlstm.cli.parsing import (
    Parser,
    add_device,
    add_how,
    add_store,
    any_of,
    new_parser,
    parse_given,
    section_fields,
)
from vidlstm.cli.progress import ExtractionBar, show_lines
from vidlstm.structures import Progress
from vidlstm.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

OF_TRAINING = ("task", "model", "optimiser", "trainer", "seed", "resume", "overwrite")
"""What the config of a training says beside what is to be scored: the checkpoint knows it."""


def evaluate_parser() -> Parser:
    """Every setting of ``evaluate``, of whatever task the checkpoint may be."""
    parser = new_parser("evaluate", "A checkpoint's scores beside its trivial baselines.")
    parser.unused = OF_TRAINING
    parser.add_argument("checkpoint", type=Path, help="what train wrote")
    parser.add_argument("--out", type=Path, required=True, help="takes report.json, tables and pictures")
    parser.add_argument(
        "--side",
        type=Literal["auto", "train", "validation", "test", "all"],
        default="auto",
        help="which side of the data; auto takes test where there is one, else validation",
    )
    add_store(parser)
    add_device(parser)
    kinds = [section_fields(task.settings)["data"] for task in TASKS.values()]
    parser.add_class_arguments(any_of("DataSettings", kinds), "data")
    add_how(parser)
    return parser


def run(argv: Sequence[str]) -> int:
    """Scores, and prints the rows."""
    given = parse_given(evaluate_parser(), argv)

    from vidlstm.verbs.evaluate import evaluate

    with ExtractionBar() as bar:
        report = evaluate(**given, progress=Progress(extraction=bar))
    show_lines([*TASKS[report["task"]].summary(report), given["out"] / "report.json"])
    return 0
