"""``vidlstm train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning import Trainer

from vidlstm.cli.parsing import new_parser, parse, trainer_arguments
from vidlstm.cli.progress import ExtractionBar, quieten_lightning, speaks
from vidlstm.settings import (
    TRAINER_DEFAULTS,
    ActionDataSettings,
    ActionModelSettings,
    BackboneSettings,
    OptimiserSettings,
    SamplingSettings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jsonargparse import ArgumentParser

TASKS = ("action", "trajectory")


def action_parser() -> ArgumentParser:
    """Every setting of ``train --task action``."""
    parser = new_parser("train", "Labelled clips to a checkpoint; missing features are extracted first.")
    parser.add_argument("--task", choices=TASKS, default="action", help="what is learned")
    parser.add_argument("--out", type=Path, required=True, help="takes best.ckpt, last.ckpt and metrics.json")
    parser.add_argument(
        "--store", type=Path, default=Path("features"), help="the feature store's root folder"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights and the order")
    parser.add_argument("--resume", type=bool, default=False, help="go on from OUT/last.ckpt")
    parser.add_class_arguments(ActionDataSettings, "data")
    parser.add_class_arguments(BackboneSettings, "backbone")
    parser.add_class_arguments(SamplingSettings, "sampling")
    parser.add_class_arguments(ActionModelSettings, "model")
    parser.add_class_arguments(OptimiserSettings, "optimiser")
    parser.add_class_arguments(Trainer, "trainer", instantiate=False)
    parser.set_defaults({f"trainer.{key}": value for key, value in TRAINER_DEFAULTS.items()})
    return parser


def run(argv: Sequence[str]) -> int:
    """Runs the verb."""
    from vidlstm.cli import trajectory

    if trajectory.asked_for(argv):
        return trajectory.run_train(argv)
    settings = parse(action_parser(), argv)
    quieten_lightning()

    from vidlstm.verbs.train_action import train_action

    with ExtractionBar() as bar:
        metrics = train_action(
            data=settings.data,
            out=settings.out,
            store=settings.store,
            backbone=settings.backbone,
            sampling=settings.sampling,
            model=settings.model,
            optimiser=settings.optimiser,
            trainer=trainer_arguments(settings),
            seed=settings.seed,
            resume=settings.resume,
            progress=bar,
        )
    if speaks():
        print(_summary(metrics, settings.out))
    return 0


def _summary(metrics: dict[str, Any], out: Path) -> str:
    return (
        f"validation accuracy {metrics['val_accuracy']:.3f} in epoch {metrics['best_epoch']} "
        f"({metrics['validation_clips']} clips; always the commonest class: "
        f"{metrics['majority_class_accuracy']:.3f}). {out / 'best.ckpt'}"
    )
