"""``evaluate``: a checkpoint's scores beside its trivial baselines, whatever the task."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.errors import SettingsError, nearest
from vidlstm.files import write_json
from vidlstm.settings import SHORTHAND, BackboneSettings, SamplingSettings, settings_from
from vidlstm.tasks import open_checkpoint
from vidlstm.tasks.base import Run, Scoring
from vidlstm.verbs.predict import make_folder

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
        VidlstmError: see its subclasses.
    """
    task, trained = open_checkpoint(checkpoint)
    side = task.sides[0] if side == "auto" else side
    if side not in task.sides:
        raise SettingsError(
            f"`side {side}` is not for {task.name}{nearest(side, task.sides)}", setting="side"
        )
    make_folder(Path(out))
    scoring = Scoring(
        _by_name(data),
        side,
        Path(out),
        settings_from(BackboneSettings, backbone, section="backbone"),
        settings_from(SamplingSettings, sampling, section="sampling"),
        Run(Path(store), device=device, progress=progress),
    )
    report = {"task": task.name, **task.evaluate(trained, scoring)}
    write_json(report, Path(out) / "report.json")
    return report


def _by_name(data: Any) -> dict[str, Any]:
    """Settings by name; of a settings object all of them."""
    if isinstance(data, str | Path):
        return {SHORTHAND["data"]: data}
    return asdict(data) if is_dataclass(data) and not isinstance(data, type) else dict(data or {})
