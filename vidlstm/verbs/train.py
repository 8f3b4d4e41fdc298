"""``train``: labelled data to a checkpoint, whatever the task."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning import seed_everything

from vidlstm.backbones.cpu import keep_freed_memory
from vidlstm.devices import resolve_device
from vidlstm.errors import OutputError, SettingsError, nearest
from vidlstm.files import write_json
from vidlstm.settings import Number, Seed, settings_from, value_from
from vidlstm.tasks import naming_the_task, task_named
from vidlstm.tasks.base import Run
from vidlstm.training.trainer import build_trainer, extracts, quieten_lightning, resumable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidlstm.structures import Progress

KEPT_MEGABYTES = 1024
"""Every step takes and gives back the same arrays, some hundred megabytes of them."""


def train(
    task: str = "action",
    *,
    out: Path | str,
    max_epochs: int | None = None,
    store: Path | str = Path("features"),
    trainer: Mapping[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    device: str | None = None,
    progress: Progress | None = None,
    **sections: Any,
) -> dict[str, Any]:
    """Trains what ``vidlstm train --task TASK`` does, with the same defaults.

    >>> train("action", data="clips/", out="run", max_epochs=30)  # doctest: +SKIP

    Args:
        task: a name in ``TASKS``: action, object_action, segmentation or trajectory.
        out: takes ``best.ckpt``, ``last.ckpt``, ``metrics.json`` and ``metrics.csv``.
        max_epochs: short for ``trainer={"max_epochs": ...}``.
        store: the feature store's root folder.
        trainer: arguments of Lightning's ``Trainer``, over ``TRAINER_DEFAULTS``.
        seed: of the split, the initial weights and the order of the clips.
        resume: go on from ``out/last.ckpt``.
        device: of the backbone and of the training, such as cpu or cuda:1; None takes a GPU where there is
            one.
        progress: told of the extraction.
        sections: the task's settings: ``data``, ``model``, ``optimiser``, and for clips ``backbone`` and
            ``sampling``. Each is a settings object, a dict of some of its values, or one word (a folder for
            ``data``, a name for ``backbone``).

    Returns:
        What ``metrics.json`` holds: the metrics of the best epoch beside the trivial baselines.

    Raises:
        VidlstmError: see its subclasses; the message names the remedy.
    """
    chosen, out = task_named(task), Path(out)
    settings = task_settings(task, sections)
    seed = value_from(Seed, seed, name="seed")
    chosen.check(settings)
    place = str(resolve_device(device))
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file, not a folder; choose another `out`")
    quieten_lightning()
    seed_everything(seed, workers=True, verbose=False)
    keep_freed_memory(KEPT_MEGABYTES)
    epochs = {} if max_epochs is None else {"max_epochs": value_from(Number, max_epochs, name="max_epochs")}
    lightning = build_trainer(
        out,
        {**chosen.trainer_defaults, **(trainer or {}), **epochs},
        monitor=chosen.monitor,
        patience=settings.optimiser.patience,
        device=device,
        callbacks=chosen.callbacks(settings),
    )
    run = Run(Path(store), seed, place, extracts(lightning), progress)
    data, card = chosen.prepare(settings, run)
    module = chosen.module(settings, card, data, lightning)
    earlier = resumable(out / "last.ckpt", card, chosen.resume_keys) if resume else None
    lightning.fit(module, datamodule=data, ckpt_path=earlier, weights_only=True)
    metrics = chosen.measure(lightning, module, data, out / "best.ckpt")
    if lightning.is_global_zero:
        write_json(metrics, out / "metrics.json")
    return metrics


def task_settings(task: str, sections: Mapping[str, Any]) -> Any:
    """The checked settings of a task, from its sections by name.

    Raises:
        SettingsError: a section or a setting is unknown, or a value does not fit.
    """
    kind = task_named(task).settings
    known: dict[str, Any] = {f.name: f.default_factory for f in fields(kind)}
    with naming_the_task(task):
        for name in sections.keys() - known.keys():
            raise SettingsError(f"{task} has no settings called {name}{nearest(name, known)}", setting=name)
        return kind(**{n: settings_from(of, sections.get(n), section=n) for n, of in known.items()})
