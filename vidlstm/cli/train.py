"""``vidlstm train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.cli.config import named_configs, read_config
from vidlstm.cli.parsing import Parser, add_device, add_store, new_parser, parse, section_fields
from vidlstm.cli.progress import ExtractionBar, TrainingBar, show_lines
from vidlstm.settings import TRAINER_DEFAULTS, Seed
from vidlstm.structures import Progress
from vidlstm.tasks import TASKS, naming_the_task, task_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.tasks.base import Task

FIRST = (
    *("task", "out", "store", "seed", "resume", "overwrite", "device"),
    *("data.format", "data.root", "data.annotations", "data.features_fps", "data.tracks", "data.fold"),
    *(
        "data.validation_fraction",
        "data.batch_size",
        "data.max_seconds",
        "data.scene",
        "data.observed",
        "data.horizon",
        "data.step_seconds",
    ),
    *("backbone.name", "backbone.weights", "sampling.fps", "sampling.workers"),
    *("model.cell", "model.hidden_size", "model.num_layers", "model.dropout", "model.modes", "model.social"),
    *("optimiser.learning_rate", "optimiser.patience"),
    *("trainer.max_epochs", "trainer.accelerator", "trainer.devices", "trainer.precision"),
)
"""The settings that people change first, of all tasks; ``--help_all`` shows the others."""

BATCHES = {"limit_train_batches": "training", "limit_val_batches": "validation"}
LIMIT = "batches of each epoch that are used: 2 takes two of them, 0.5 half, 1.0 all"
"""Lightning's own annotation is float or int, in an order that follows from what was imported first; one
batch (1) would then be all of them (1.0)."""

PRECISION = (
    "of what is computed: 32-true, 64-true, bf16-mixed, 16-mixed, or auto: bf16-mixed on a GPU that can, "
    "else 32-true"
)


def train_parser(task: Task[Any, Any]) -> Parser:
    """Every setting of ``train`` for one task, made from the task's settings."""
    from lightning import Trainer

    parser = new_parser("train", f"{task.help.capitalize()}, to a checkpoint.", first=FIRST)
    parser.add_argument("--task", choices=tuple(TASKS), default=task.name, help=_tasks())
    parser.add_argument("--out", type=Path, required=True, help="takes best.ckpt, last.ckpt and metrics.json")
    add_store(parser)
    parser.add_argument("--seed", type=Seed, default=0, help="of the split, the weights and the order")
    parser.add_argument("--resume", type=bool, default=False, help="go on from OUT/last.ckpt")
    parser.add_argument("--overwrite", type=bool, default=False, help="replace the training that OUT holds")
    add_device(parser)
    for name, kind in section_fields(task.settings).items():
        parser.add_class_arguments(kind, name)
    parser.add_class_arguments(Trainer, "trainer", instantiate=False, skip={*BATCHES, "precision"})
    for name, of in BATCHES.items():
        parser.add_argument(f"--trainer.{name}", type=int | float | None, default=None, help=f"{of} {LIMIT}")
    parser.add_argument("--trainer.precision", type=str | int | None, help=PRECISION)
    defaults = {**TRAINER_DEFAULTS, **task.trainer_defaults}
    parser.set_defaults({f"trainer.{key}": value for key, value in defaults.items()})
    return parser


def _tasks() -> str:
    return "; ".join(f"{name}: {task.help}" for name, task in TASKS.items())


def chosen_task(argv: Sequence[str]) -> str:
    """The task that ``--task`` names, or else a config, or else the first there is."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--task", nargs="?")
    known, _ = first.parse_known_args(list(argv))
    named = [known.task, *(read_config(name).content.get("task") for name in reversed(named_configs(argv)))]
    return next((str(task) for task in named if task is not None), next(iter(TASKS)))


def run(argv: Sequence[str]) -> int:
    """Trains, and says how well."""
    task = task_named(chosen_task(argv))
    with naming_the_task(task.name):
        settings = parse(train_parser(task), argv)

    from vidlstm.features.launch import speaks
    from vidlstm.verbs.train import train

    with ExtractionBar() as bar, TrainingBar() as training_bar:
        metrics = train(
            task.name,
            out=settings.out,
            store=settings.store,
            trainer=dict(vars(settings.trainer)),
            seed=settings.seed,
            resume=settings.resume,
            overwrite=settings.overwrite,
            device=settings.device,
            progress=Progress(extraction=bar, training=training_bar),
            **{name: settings[name] for name in section_fields(task.settings)},
        )
    if speaks():
        show_lines([*task.summary(metrics), settings.out / "best.ckpt"])
    return 0
