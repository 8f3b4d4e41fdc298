"""``vidlstm inspect gates`` and ``vidlstm inspect gradients``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.parsing import Parser, add_device, add_how, new_parser, parse
from vidlstm.cli.progress import ExtractionBar, show_lines
from vidlstm.cli.terminal import say
from vidlstm.errors import nearest
from vidlstm.settings import Bias, Lags, Seed, Units, WindowSettings
from vidlstm.structures import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = """usage: vidlstm inspect <what> [--config FILE] [--section.key value ...]

  gates CHECKPOINT VIDEO --out DIR     every gate, cell and hidden state while a network reads a video
  gradients [CHECKPOINT] --out DIR     how fast the gradient vanishes with the lag, cell by cell

vidlstm inspect gates --help lists the settings; --print_config prints them as YAML."""


def run(argv: Sequence[str]) -> int:
    """Hands over to the subject."""
    what = argv[0] if argv else ""
    if what in ("-h", "--help"):
        say(USAGE)
        raise SystemExit(0)
    if what not in SUBJECTS:
        hint = nearest(what, SUBJECTS) if what else ""
        say(f"vidlstm inspect: say what{hint}\n{USAGE}", error=True)
        return 2
    return SUBJECTS[what](argv[1:])


def gates_parser() -> Parser:
    """Every setting of ``inspect gates``."""
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
    add_device(parser)
    add_how(parser)
    parser.add_class_arguments(WindowSettings, "window")
    return parser


def run_gates(argv: Sequence[str]) -> int:
    """``vidlstm inspect gates``."""
    settings = parse(gates_parser(), argv)

    from vidlstm.verbs.inspect_gates import inspect_gates

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
            device=settings.device,
            progress=Progress(extraction=bar),
        )
    windows = len(report.recording.rows)
    apart = f"{report.recording.largest_difference:.1e}"
    say(f"{windows} windows; replayed and computed hidden states differ by at most {apart}")
    if report.deletion is not None and report.attribution is not None:
        check = report.deletion
        say(
            f"mean probability of the windows' classes {check.whole:.3f}; without the {check.share:.0%} of "
            f"frames it rests on most {check.without_most:.3f}; without as many random ones "
            f"{check.without_random:.3f} (integral exact to {report.attribution.largest_gap:.3f})"
        )
    show_lines(report.files)
    return 0


def gradients_parser() -> Parser:
    """Every setting of ``inspect gradients``."""
    parser = new_parser("inspect gradients", "How fast the gradient vanishes with the lag, cell by cell.")
    parser.add_argument("checkpoint", type=Path | None, nargs="?", default=None, help="an action checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="takes gradients.png and gradients.csv")
    parser.add_argument("--video", type=Path | None, default=None, help="what the checkpoint is to read")
    parser.add_argument("--steps", type=Lags, default=200, help="the longest lag, and one")
    parser.add_argument("--hidden_size", type=Units, default=128, help="units of the fresh cells")
    parser.add_argument("--forget_bias", type=Bias | None, default=None, help="of the fresh cells")
    parser.add_argument("--orthogonal", type=bool, default=False, help="start the fresh cells so")
    parser.add_argument("--seed", type=Seed, default=0, help="of weights and noise")
    parser.add_argument("--store", type=Path | None, default=None, help="keep the features here")
    add_device(parser)
    add_how(parser)
    return parser


def run_gradients(argv: Sequence[str]) -> int:
    """``vidlstm inspect gradients``."""
    settings = parse(gradients_parser(), argv)

    from vidlstm.inference.lag_gradients import lag_of_fall
    from vidlstm.verbs.inspect_gradients import inspect_gradients

    with ExtractionBar() as bar:
        report = inspect_gradients(
            settings.checkpoint,
            out=settings.out,
            video=settings.video,
            steps=settings.steps,
            hidden_size=settings.hidden_size,
            forget_bias=settings.forget_bias,
            orthogonal=settings.orthogonal,
            seed=settings.seed,
            store=settings.store,
            backbone=settings.backbone,
            sampling=settings.sampling,
            device=settings.device,
            progress=Progress(extraction=bar),
        )
    for name, norms in {**report.fresh, **report.trained}.items():
        lag = lag_of_fall(norms, 1e-3)
        fall = f"falls below 1/1000 at lag {lag}" if lag else f"stays above 1/1000 for {len(norms)} steps"
        say(f"{name:<32} {norms[0]:.2e} at lag 0, {norms[-1]:.2e} at lag {len(norms) - 1}; {fall}")
    show_lines(report.files)
    return 0


SUBJECTS = {"gates": run_gates, "gradients": run_gradients}
