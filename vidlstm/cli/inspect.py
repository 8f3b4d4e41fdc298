"""``vidlstm inspect gates`` and ``vidlstm inspect gradients``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.parsing import new_parser, parse
from vidlstm.cli.progress import ExtractionBar
from vidlstm.errors import nearest
from vidlstm.settings import BackboneSettings, SamplingSettings, WindowSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = """usage: vidlstm inspect <what> [--config FILE] [--section.key value ...]

  gates CHECKPOINT VIDEO --out DIR     every gate, cell and hidden state while a network reads a video
  gradients [CHECKPOINT] --out DIR     how fast the gradient vanishes with the lag, cell by cell

vidlstm inspect gates --help lists the settings; --print_config prints them as YAML."""


def run(argv: Sequence[str]) -> int:
    """Runs the verb."""
    what = argv[0] if argv else ""
    if what in ("-h", "--help"):
        print(USAGE)
        raise SystemExit(0)
    if what not in SUBJECTS:
        hint = nearest(what, SUBJECTS) if what else ""
        print(f"vidlstm inspect: say what{hint}\n{USAGE}", file=sys.stderr)
        return 2
    return SUBJECTS[what](argv[1:])


def run_gates(argv: Sequence[str]) -> int:
    """``vidlstm inspect gates``."""
    parser = new_parser("inspect gates", "Every gate, cell and hidden state while a network reads a video.")
    parser.add_argument("checkpoint", type=Path, help="an action checkpoint that train wrote")
    parser.add_argument("video", type=Path, help="one video")
    parser.add_argument("--out", type=Path, required=True, help="takes the .npz file and a picture a layer")
    parser.add_argument("--store", type=Path | None, default=None, help="keep the features here")
    parser.add_argument(
        "--truth", type=Path | None, default=None, help="true segments: start_seconds,end_seconds,label"
    )
    parser.add_argument(
        "--attribution", type=bool, default=True, help="find which frames the decisions rest on (captum)"
    )
    parser.add_class_arguments(BackboneSettings, "backbone")
    parser.add_class_arguments(SamplingSettings, "sampling")
    parser.add_class_arguments(WindowSettings, "window")
    settings = parse(parser, argv)

    from vidlstm.workflows.inspect_gates import inspect_gates

    with ExtractionBar() as bar:
        report = inspect_gates(
            settings.checkpoint,
            settings.video,
            out=settings.out,
            store=settings.store,
            truth=settings.truth,
            attribution=settings.attribution,
            backbone=settings.backbone,
            sampling=settings.sampling,
            window=settings.window,
            progress=bar,
        )
    windows = len(report.recording.rows)
    print(f"{windows} windows; replayed and computed hidden states differ by at most", end=" ")
    print(f"{report.recording.largest_difference:.1e}")
    if report.deletion is not None and report.attribution is not None:
        check = report.deletion
        print(
            f"mean probability of the windows' classes {check.whole:.3f}; without the {check.share:.0%} of "
            f"frames it rests on most {check.without_most:.3f}; without as many random ones "
            f"{check.without_random:.3f} (integral exact to {report.attribution.largest_gap:.3f})"
        )
    print(*map(str, report.files), sep="\n")
    return 0


SUBJECTS = {"gates": run_gates}
