"""``train``: labelled data to a checkpoint, whatever the task."""

from __future__ import annotations

import json
import warnings
from contextlib import nullcontext, suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning import seed_everything

from vidlstm.backbones.cpu import keep_freed_memory
from vidlstm.cards import read_checkpoint
from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError, nearest
from vidlstm.features.ranks import Ranks
from vidlstm.files import check_inputs, check_writable, clear_leftovers, files_named, held, write_json
from vidlstm.settings import Number, Seed, path_from, settings_from, store_from, value_from
from vidlstm.tasks import naming_the_task, task_named
from vidlstm.tasks.base import Run
from vidlstm.training.callbacks import ReplaceEarlier
from vidlstm.training.outcome import fitting, keep_best, refuse_trained
from vidlstm.training.resuming import Earlier, carry_on_metrics, resumable, used_precision
from vidlstm.training.threads import threads_that_pay, using_threads
from vidlstm.training.trainer import build_trainer, extracts, hanging_up, quieten_lightning, start_together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidlstm.structures import Progress

LAST_FILE, METRICS = "last.ckpt", "metrics.json"
WRITTEN = ("best.ckpt", "last.ckpt", "metrics.json", "metrics.csv", "hparams.yaml", "short_tracks.csv")
"""What a training writes, or its logger, which begins by deleting the ``metrics.csv`` that is there."""
KEPT_MEGABYTES = 1024
"""Every step takes and gives back the same arrays, some hundred megabytes of them."""


@hanging_up()
def train(
    task: str = "action",
    *,
    out: Path | str,
    max_epochs: int | None = None,
    store: Path | str = Path("features"),
    trainer: Mapping[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
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
        overwrite: replace the training that ``out`` holds, as soon as this one begins.
        device: of the backbone and of the training, such as cpu or cuda:1; None takes a GPU where there is
            one.
        progress: told of the extraction and of the training.
        sections: the task's settings: ``data``, ``model``, ``optimiser``, and for clips ``backbone`` and
            ``sampling``. Each is a settings object, a dict of some of its values, or one word (a folder for
            ``data``, a name for ``backbone``).

    Returns:
        What ``metrics.json`` holds: the metrics of the best epoch beside the trivial baselines.

    Raises:
        VidlstmError: see its subclasses; the message names the remedy.
        Stopped: the training was ended from outside; the message says what is kept.
    """
    chosen, out, store = task_named(task), path_from(out, "out"), store_from(store)
    settings = task_settings(task, sections)
    check_inputs([out / name for name in WRITTEN], files_named(settings))
    clear_leftovers(out)
    seed = value_from(Seed, seed, name="seed")
    chosen.check(settings)
    place = str(resolve_device(device))
    check_folder(out, resume=resume, overwrite=overwrite)
    quieten_lightning()
    seed_everything(seed, workers=True, verbose=False)
    keep_freed_memory(KEPT_MEGABYTES)
    epochs = {} if max_epochs is None else {"max_epochs": value_from(Number, max_epochs, name="max_epochs")}
    patience = settings.optimiser.patience
    lightning = build_trainer(
        out,
        {**chosen.trainer_defaults, **(trainer or {}), **epochs},
        monitor=chosen.monitor,
        patience=patience,
        device=device,
        callbacks=[*chosen.callbacks(settings), *([] if resume else [ReplaceEarlier(out)])],
        told=progress.training if progress else None,
        precision=used_precision(out / LAST_FILE) if resume else None,
    )
    ranks = Ranks() if start_together(lightning) else None
    run = Run(store, seed, place, extracts(lightning), ranks, progress)
    data, card = chosen.prepare(settings, run)
    module = chosen.module(settings, card, data, lightning)
    earlier = resumable(out / LAST_FILE, card, chosen.resume_keys) if resume else None
    if earlier and earlier.is_finished(lightning, patience):
        done = finished(earlier, out / METRICS)
        if done is not None:
            return done
    alone = held(out / METRICS) if lightning.is_global_zero else nullcontext()  # one process of several
    with alone, fitting(lightning, out):
        with using_threads(threads_that_pay(module, getattr(settings.data, "batch_size", 1))):
            if earlier:
                carry_on_metrics(lightning.logger, earlier.steps)
            goes_on = earlier.path if earlier else None
            lightning.fit(module, datamodule=data, ckpt_path=goes_on, weights_only=True)
        metrics: dict[str, Any] = chosen.measure(lightning, module, data, keep_best(lightning, out))
    if lightning.is_global_zero:
        write_json(metrics, out / METRICS)
    return metrics


def finished(earlier: Earlier, metrics: Path) -> dict[str, Any] | None:
    """What a training measured that has nothing left to do; None where it was ended before it did."""
    warnings.warn(
        f"{earlier.path} has finished ({earlier.epochs} epochs, {earlier.steps} steps); to train on, raise "
        "`trainer.max_epochs`",
        stacklevel=3,
    )
    measured: Any = None
    with suppress(OSError, ValueError):
        measured = json.loads(metrics.read_text(encoding="utf-8"))
    return measured if isinstance(measured, dict) else None


def check_folder(out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder that cannot be written, or holds a training that nobody said what to do with.

    Raises:
        SettingsError: it is to be gone on with and replaced at once.
        OutputError: it cannot be written, or holds a training.
        CheckpointError: there is nothing to go on with.
    """
    if resume and overwrite:
        raise SettingsError("`resume` goes on with a training and `overwrite` replaces it; give one of them")
    check_writable(out)
    if resume:
        read_checkpoint(out / LAST_FILE)
    elif not overwrite:
        refuse_trained(out)


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
