"""``vidlstm import LABELS... --videos DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.parsing import new_parser, parse
from vidlstm.cli.progress import show_failures, show_lines
from vidlstm.datasets.timed_formats import TIMED_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vidlstm.verbs.import_labels import ImportReport


def run(argv: Sequence[str]) -> int:
    """Imports, and says what was understood."""
    parser = new_parser("import", "What labelling tools wrote to one table of timed labels.")
    parser.add_argument(
        "labels", nargs="+", type=Path, help="exports of labelling tools, and folders right in which they lie"
    )
    parser.add_argument(
        "--videos",
        "--data.root",
        type=Path,
        required=True,
        help="the folder of the videos, however deep they lie",
    )
    parser.add_argument("--out", type=Path, default=Path("segments.csv"), help="the table (CSV)")
    parser.add_argument(
        "--format",
        "--data.format",
        type=str,
        default="auto",
        help=f"auto, or one of {', '.join(TIMED_FORMATS)}",
    )
    parser.add_argument(
        "--labelled_fps",
        "--data.labelled_fps",
        type=float | None,
        default=None,
        help="frames a second that the tool counted, where it counts frames and does not say",
    )
    parser.add_argument(
        "--fold", "--data.fold", type=int | None, default=None, help="the official split (mstcn)"
    )
    settings = parse(parser, argv)

    from vidlstm.verbs.import_labels import import_labels

    report = import_labels(
        settings.labels,
        videos=settings.videos,
        out=settings.out,
        format=settings.format,
        labelled_fps=settings.labelled_fps,
        fold=settings.fold,
    )
    show_failures(report)
    show_lines(_told(report))
    return 1 if report.failures else 0


def _told(report: ImportReport) -> Iterator[str]:
    yield from report.dataset.notes
    videos = report.dataset.videos
    yield f"{len(videos)} videos with labels, {len(report.unlabelled)} without any"
    names = {label: "".join(c if c.isprintable() else "?" for c in label) for label in report.counts}
    width = max(map(len, names.values()), default=0)
    for label, name in sorted(names.items()):
        yield f"  {name:<{width}}  {report.counts[label]:>6} times  {report.seconds[label]:>10.2f} s"
    for what, found in (("gaps between labels", report.gaps), ("overlaps of labels", report.overlaps)):
        yield f"{len(found)} {what}, {sum(found):.2f} s"
    yield str(report.file)
