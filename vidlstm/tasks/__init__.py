"""What can be learned: a folder a task, behind the one contract in ``base.py``."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.cards import read_checkpoint
from vidlstm.errors import CheckpointError, SettingsError, nearest
from vidlstm.tasks.action.task import ActionTask
from vidlstm.tasks.base import Task, Trained
from vidlstm.tasks.object_action.task import ObjectActionTask
from vidlstm.tasks.segmentation.task import SegmentationTask
from vidlstm.tasks.trajectory.task import TrajectoryTask

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS: dict[str, Task[Any, Any]] = {
    "action": ActionTask(),
    "object_action": ObjectActionTask(),
    "segmentation": SegmentationTask(),
    "trajectory": TrajectoryTask(),
}
"""Name to task: the value of ``--task`` and of the card."""


def task_named(name: str) -> Task[Any, Any]:
    """The task of a name.

    Raises:
        SettingsError: there is none.
    """
    if name not in TASKS:
        raise SettingsError(f"no task is called {name!r}{nearest(name, TASKS)}", setting="task")
    return TASKS[name]


def tasks_with(setting: str) -> list[str]:
    """The tasks that have a setting, such as ``data.tracks``."""
    section, _, name = setting.partition(".")

    def has(task: Task[Any, Any]) -> bool:
        of: Any = {f.name: f.default_factory for f in fields(task.settings)}.get(section)
        return of is not None and name in ("", *(f.name for f in fields(of)))

    return [name_of for name_of, task in TASKS.items() if has(task)]


@contextmanager
def naming_the_task(task: str) -> Iterator[None]:
    """Where a setting is unknown to a task and another has it, the error says which.

    Raises:
        SettingsError: what was raised inside, or in its place one that names the task.
    """
    try:
        yield
    except SettingsError as error:
        others = tasks_with(error.setting) if error.setting else []
        if not others or task in others:
            raise
        remedy = " or ".join(f"`task {other}`" for other in others)
        raise SettingsError(
            f"{task} has no setting `{error.setting}`; it belongs to {remedy}", setting=error.setting
        ) from None


def open_checkpoint(path: Path | str, *tasks: str) -> tuple[Task[Any, Any], Trained[Any]]:
    """Reads a checkpoint once: its task, and what that task makes of it.

    Args:
        path: what ``train`` or :func:`~vidlstm.verbs.save_card.save_card` wrote.
        tasks: those it may be of; none takes any.

    Raises:
        CheckpointError: see :func:`~vidlstm.cards.read_checkpoint` and :meth:`Task.open`; or it is of a task
            that is not asked for.
    """
    checkpoint = read_checkpoint(Path(path))
    if checkpoint.task not in TASKS:
        raise CheckpointError(
            f"{path} was trained for {checkpoint.task!r}, which this vidlstm does not know; "
            f"it knows {', '.join(TASKS)}"
        )
    if tasks and checkpoint.task not in tasks:
        raise CheckpointError(f"{path} was trained for {checkpoint.task!r}; this needs {' or '.join(tasks)}")
    task = TASKS[checkpoint.task]
    return task, task.open(checkpoint)
