"""What can be learned: a folder a task, behind the one contract in ``base.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidlstm.cards import read_checkpoint
from vidlstm.errors import CheckpointError, SettingsError, nearest
from vidlstm.tasks.action.task import ActionTask
from vidlstm.tasks.base import Task, Trained
from vidlstm.tasks.object_action.task import ObjectActionTask
from vidlstm.tasks.trajectory.task import TrajectoryTask

TASKS: dict[str, Task[Any, Any]] = {
    "action": ActionTask(),
    "object_action": ObjectActionTask(),
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
