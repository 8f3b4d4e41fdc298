"""``evaluate``: a checkpoint's scores beside its trivial baselines, whatever the task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError, nearest
from vidlstm.files import check_inputs, check_writable, files_named, held, make_folder, write_json
from vidlstm.settings import BackboneSettings, SamplingSettings, by_name, path_from, settings_from, store_from
from vidlstm.tasks import open_checkpoint, tasks_with
from vidlstm.tasks.base import Run, Scoring
from vidlstm.verbs.refusals import refuse_decided, refuse_kept, refuse_without_effect

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
    task, trained = open_checkpoint(path_from(checkpoint, "checkpoint"))
    out, store = path_from(out, "out"), store_from(store)
    side = task.sides[0] if side == "auto" else side
    if side not in task.sides:
        raise SettingsError(
            f"`side {side}` is not for {task.name}{nearest(side, task.sides)}", setting="side"
        )
    given = by_name(data, "data")
    sections = {"data": given, "backbone": backbone, "sampling": sampling}
    refuse_without_effect(task, sections, lambda _, name: task.name in (tasks_with(name) or [task.name]))
    refuse_decided(trained.card, backbone, sampling)
    refuse_kept(task.kept, getattr(trained.card, "data", None), given)
    scoring = Scoring(
        given,
        side,
        out,
        settings_from(BackboneSettings, backbone, section="backbone"),
        settings_from(SamplingSettings, sampling, section="sampling"),
        Run(store, device=device, progress=progress),
    )
    report_file = out / "report.json"
    read = [checkpoint, *files_named(given, scoring.backbone, getattr(trained.card, "data", None))]
    check_inputs([report_file, *(out / name for name in task.report_files)], read)
    check_writable(out)
    make_folder(out)
    with held(report_file):
        report = {"task": task.name, **task.evaluate(trained, scoring)}
        write_json(report, report_file)
    return report
