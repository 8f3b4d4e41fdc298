"""``vidlstm extract DIR|VIDEO...``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.addresses import address
from vidlstm.cli.parsing import Parser, add_device, add_engine, add_store, new_parser, parse
from vidlstm.cli.progress import ExtractionBar, show_failures
from vidlstm.cli.terminal import say
from vidlstm.settings import BackboneSettings, Devices, SamplingSettings
from vidlstm.structures import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence


def extract_parser() -> Parser:
    """Every setting of ``extract``."""
    parser = new_parser("extract", "Videos to a feature store. What is there already is not done again.")
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        help="videos, and folders to search for them, on disk or in a bucket (s3://bucket/videos)",
    )
    add_store(parser)
    parser.add_argument(
        "--failures", type=Path | None, default=None, help="write the failed videos to this CSV"
    )
    parser.add_argument(
        "--shard",
        type=str | None,
        default=None,
        help="such as 3/16: the third of sixteen extractions that share the videos, on any machines",
    )
    parser.add_argument(
        "--devices",
        type=Devices,
        default=1,
        help="processes, one a GPU (or, with --device cpu, a part of the cores), which share the videos",
    )
    parser.add_argument(
        "--num_nodes", type=Devices, default=1, help="machines on which torchrun or SLURM starts so many each"
    )
    add_engine(parser)
    add_device(parser)
    parser.add_class_arguments(BackboneSettings, "backbone")
    parser.add_class_arguments(SamplingSettings, "sampling")
    return parser


def run(argv: Sequence[str]) -> int:
    """Extracts, and says how much."""
    settings = parse(extract_parser(), argv)

    from vidlstm.datasets.videos import find_videos
    from vidlstm.features.launch import speaks
    from vidlstm.files import check_inputs, files_named, write_csv
    from vidlstm.verbs.extract import extract_to_store

    if settings.failures is not None:
        check_inputs([settings.failures], [*find_videos(settings.paths), *files_named(settings.backbone)])

    with ExtractionBar() as bar:
        report = extract_to_store(
            settings.paths,
            store=settings.store,
            backbone=settings.backbone,
            sampling=settings.sampling,
            shard=settings.shard,
            devices=settings.devices,
            num_nodes=settings.num_nodes,
            engine=settings.engine,
            address=settings.address,
            device=settings.device,
            progress=Progress(extraction=bar),
        )
    if settings.devices * settings.num_nodes > 1 and not speaks():
        return 0  # the first process says it
    show_failures(report)
    say(
        f"{report.extracted} videos extracted, {report.found} there already, "
        f"{len(report.failures)} failed; {report.features} frames in {report.seconds:.1f} s; "
        f"store {address(settings.store)}"
    )
    if settings.failures is not None:
        rows = [(address(f.path), f.reason, f.detail) for f in report.failures]
        write_csv(("path", "reason", "detail"), rows, settings.failures)
    return 1 if report.failures else 0
