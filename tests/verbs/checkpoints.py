"""Checkpoints of every task that were never trained, in no time; and their cards in the form of version 1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vidlstm.cards import (
    CARD,
    MODEL,
    ActionCard,
    Card,
    ObjectActionCard,
    SegmentationCard,
    Tracked,
    TrajectoryCard,
)
from vidlstm.settings import (
    ActionModelSettings,
    ObjectActionDataSettings,
    SegmentationModelSettings,
    TrajectoryDataSettings,
    TrajectoryModelSettings,
    plain,
)
from vidlstm.tasks import TASKS

CLIPS: dict[str, Any] = {
    "labels": ("a", "b"),
    "feature_dim": 6,
    "backbone": {"backbone": "squeezenet1_1"},
    "fps": 10.0,
    "window_seconds": 1.0,
    "model": ActionModelSettings(hidden_size=4, num_layers=1, projection=0),
}
CARDS: dict[str, Card] = {
    "action": ActionCard(**CLIPS),
    "object_action": ObjectActionCard(
        **CLIPS, objects=Tracked(tracking={}, max_gap_seconds=0.5, minimum_seconds=0.5)
    ),
    "segmentation": SegmentationCard(
        labels=("a", "b"),
        feature_dim=6,
        backbone={"backbone": "squeezenet1_1"},
        fps=10.0,
        model=SegmentationModelSettings(hidden_size=4, projection=0),
    ),
    "trajectory": TrajectoryCard(
        coordinates=2,
        unit="metres",
        seconds_per_step=0.4,
        model=TrajectoryModelSettings(modes=2, hidden_size=4, decoder_size=4),
        data=TrajectoryDataSettings(),
    ),
}


def content_of(task: str) -> dict[str, Any]:
    """All that a checkpoint holds."""
    torch.manual_seed(0)
    state = TASKS[task].build(CARDS[task]).state_dict()
    return {
        "state_dict": {f"{MODEL}{k}": v for k, v in state.items()},
        CARD: CARDS[task].as_plain(),
        "epoch": 0,
    }


def write(path: Path, task: str, change: Mapping[str, Any] | None = None) -> Path:
    """A checkpoint of a task, some values of its card changed; those of ``model`` and ``data`` one by one."""
    content = content_of(task)
    for name, value in (change or {}).items():
        section, _, setting = name.partition(".")
        if setting:
            content[CARD][section][setting] = value
        else:
            content[CARD][section] = value
    torch.save(content, path)
    return path


def as_version_1(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card as it was written before there were types: one kind of data for all clips."""
    old = {**card, "version": 1}
    if card["task"] == "trajectory":
        network = {k: v for k, v in card["model"].items() if k != "neighbours"}
        old["network"] = {
            **network,
            "horizon": card["data"]["horizon"],
            "coordinates": old.pop("coordinates"),
        }
        return old
    return {**old, "task": "action", "data": {**plain(ObjectActionDataSettings()), **card["data"]}}


def rewrite(path: Path, out: Path, drop: Mapping[str, tuple[str, ...]] | None = None) -> Path:
    """The same checkpoint with a card of version 1, from before some settings of its sections existed."""
    content = torch.load(path, weights_only=True)
    card = as_version_1(content[CARD])
    for section, names in (drop or {}).items():
        card[section] = {k: v for k, v in card[section].items() if k not in names}
        if section == "model" and "network" in card:
            card["network"] = {k: v for k, v in card["network"].items() if k not in names}
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({**content, CARD: card}, out)
    return out
