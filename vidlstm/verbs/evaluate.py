"""``evaluate``: a checkpoint's scores beside its trivial baselines, whatever the task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError, nearest
from vidlstm.files import check_inputs, files_named, held, make_folder, write_json
from vidlstm.settings import BackboneSettings, SamplingSettings, by_name, dotted, settings_from
from vidlstm.tasks import open_checkpoint, tasks_with
from vidlstm.tasks.base import Run, Scoring
from vidlstm.verbs.load import refuse_other_backbone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidlstm.structures import Progress


def evaluate(
    checkpoint: Path | str,
    *,
    out: Path | str,
    data: Any = None,
    side: str = "auto",
    store: Path | str = Path("features"),
    backbone: BackboneSettings | Mapping[str, Any] | None = None,
    sampling: SamplingSettings | Mapping[str, Any] | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Scores a checkpoint on data it was not trained on, beside its baselines.

    Args:
        checkpoint: what ``train`` wrote.
        out: takes ``report.json``, tables and pictures.
        data: settings of the data; those that are not given are as in the training, the split too. A dict of
            some of them, a settings object, or the folder alone.
        side: which side of the data. Of clips: auto takes the test clips where there are any, else the
            validation clips; ``all`` is for a dataset that the checkpoint has never seen: nothing is split,
            and the baselines, which need training clips, are left out. Of tracks: test (auto), validation,
            train.
        store: the feature store's root folder.
        backbone: where the backbone's weights are.
        sampling: how videos are decoded; the rate is the checkpoint's.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        progress: told of the extraction.

    Returns:
        What ``report.json`` holds.

    Raises:
        OutputError: a file would be written over an input; nothing was done.
        VidlstmError: see its other subclasses.
    """
    device = str(resolve_device(device))
    task, trained = open_checkpoint(checkpoint)
    side = task.sides[0] if side == "auto" else side
    if side not in task.sides:
        raise SettingsError(
            f"`side {side}` is not for {task.name}{nearest(side, task.sides)}", setting="side"
        )
    given = by_name(data, "data")
    for section, values in (("data", given), ("backbone", backbone), ("sampling", sampling)):
        refuse_without_effect(task.name, section, by_name(values, section))
    refuse_other_backbone(trained.card, backbone)
    scoring = Scoring(
        given,
        side,
        Path(out),
        settings_from(BackboneSettings, backbone, section="backbone"),
        settings_from(SamplingSettings, sampling, section="sampling"),
        Run(Path(store), device=device, progress=progress),
    )
    report_file = Path(out) / "report.json"
    read = [checkpoint, *files_named(given, scoring.backbone, getattr(trained.card, "data", None))]
    check_inputs([report_file, *(Path(out) / name for name in task.report_files)], read)
    make_folder(Path(out))
    with held(report_file):
        report = {"task": task.name, **task.evaluate(trained, scoring)}
        write_json(report, report_file)
    return report


def refuse_without_effect(task: str, section: str, given: Mapping[str, Any]) -> None:
    """Raises a SettingsError where a setting is one of another task alone."""
    for name in (dotted(section, name) for name, value in given.items() if value is not None):
        if (others := tasks_with(name)) and task not in others:
            raise SettingsError(
                f"leave out `{name}`: it has no effect on a checkpoint of {task}", setting=name
            )
