"""``vidlstm bench [CHECKPOINT] VIDEO...``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.config import named_configs
from vidlstm.cli.parsing import Parser, add_device, new_parser, parse_given
from vidlstm.cli.terminal import say
from vidlstm.settings import BackboneSettings, SamplingSettings, Seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.verbs.bench import BenchReport


def bench_parser() -> Parser:
    """Every setting of ``bench``."""
    parser = new_parser("bench", "How fast this machine is with your own videos, stage by stage.")
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        help="videos, and folders to search for them; after a checkpoint (.ckpt): how many such cameras "
        "can be watched with it",
    )
    parser.add_argument("--seconds", type=Seconds, default=10.0, help="about so long for each stage")
    parser.add_argument("--json", type=Path | None, default=None, help="write the figures to this file")
    parser.add_argument("--chart", type=Path | None, default=None, help="draw them into this PNG file")
    parser.add_argument(
        "--apply", type=Path | None, default=None, help="write a config (YAML) of what was fastest"
    )
    add_device(parser)
    parser.add_class_arguments(BackboneSettings, "backbone")
    parser.add_class_arguments(SamplingSettings, "sampling")
    return parser


def run(argv: Sequence[str]) -> int:
    """Measures, and says what was found."""
    given = parse_given(bench_parser(), argv)
    paths = given.pop("paths")
    outputs = {name: given.pop(name, None) for name in ("json", "chart", "apply")}

    from vidlstm.errors import SettingsError
    from vidlstm.files import files_named
    from vidlstm.verbs.bench import bench

    checkpoint = paths.pop(0) if paths[0].suffix == ".ckpt" else None
    if not paths:
        raise SettingsError("there is no video to measure with; give one after the checkpoint")
    if checkpoint and outputs["apply"]:
        raise SettingsError("a checkpoint decides its settings; leave out `apply`", setting="apply")
    inputs = [*paths, *files_named(given), *named_configs(argv), *filter(None, [checkpoint])]
    check_outputs([p for p in outputs.values() if p], inputs)
    report = bench(
        paths, checkpoint=checkpoint, step=lambda text: say(f"measuring: {text}", error=True), **given
    )
    for line in told(report):
        say(line)
    write(report, **outputs)
    return 1 if report.failures else 0


def check_outputs(outputs: Sequence[Path], inputs: Sequence[str | Path]) -> None:
    """Refuses to write over what is read, and where nothing can be written, before anything is measured."""
    from vidlstm.errors import OutputError
    from vidlstm.files import check_inputs, check_writable

    check_inputs(outputs, inputs)
    for path in outputs:
        if path.is_dir() or outputs.count(path) > 1:
            raise OutputError(f"{path} is a folder, or named twice; give each output a file of its own")
        check_writable(path.parent)


def told(report: BenchReport) -> list[str]:
    """The report in lines of 80 columns."""
    figures = report.figures
    lines = [
        f"{s.stage:<11} {s.how:<30.30} {s.cpu_ms:7.2f} CPU-ms {s.frames_per_second:9.1f} frames/s"
        for s in report.stages
    ]
    lines.append(
        f"limit: {figures['limit_frames_per_second']:.1f} frames/s on {figures['cores']} cores, "
        f"device {figures['device']}; reached {figures['ratio_to_limit']:.2f} of it"
    )
    if "streams" in figures:
        lines.append(
            f"{figures['streams']:.1f} cameras at {figures['fps']:g} frames/s "
            f"(limit {figures['limit_streams']:.1f})"
        )
        if figures["age_p50_ms"] is not None:
            lines.append(
                f"{figures['paced_streams']} at their own pace: answers {figures['age_p50_ms']:.0f} ms old "
                f"(p50), {figures['age_p99_ms']:.0f} ms (p99), {figures['dropped_share']:.1%} dropped"
            )
    else:
        lines.append(f"the {figures['limited_by']} is what takes longest; fastest were:")
        lines += [f"  --{name} {value}" for name, value in report.settings.items()]
        size = figures["training_batch_size"]
        lines.append(f"training on features: --data.batch_size {size} comes near the fastest")
    return lines + [f"not measured: {failure}" for failure in report.failures]


def write(report: BenchReport, *, json: Path | None, chart: Path | None, apply: Path | None) -> None:
    """The files that were asked for."""
    from yaml import safe_dump  # type: ignore[import-untyped]

    from vidlstm.files import write_json, write_text

    if json:
        write_json(report.as_dict(), json)
    if chart:
        from vidlstm.render.plot.costs import plot_costs

        rows = [(s.stage, s.how, s.frames_per_second) for s in report.stages]
        plot_costs(rows, report.figures["limit_frames_per_second"], chart)
    if apply:
        sections: dict[str, dict[str, object]] = {}
        for name, value in report.settings.items():
            section, _, setting = name.partition(".")
            sections.setdefault(section, {})[setting] = value
        write_text(safe_dump(sections, sort_keys=True), apply)
    for path in (json, chart, apply):
        if path:
            say(str(path))
