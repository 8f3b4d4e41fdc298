"""What a checkpoint says of itself: one typed dataclass a task, versioned; read, migrated, written.

A card is all that ``predict`` needs beside the weights. It comes from outside, so every value is checked
before it is used: types, ranges, and how much memory it asks for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from annotated_types import Interval, Len

from vidlstm.errors import CheckpointError, torch_reason
from vidlstm.files import plain_json, write_whole
from vidlstm.media import VIDEO_SUFFIXES, suffix_of
from vidlstm.settings import (
    ActionDataSettings,
    ActionModelSettings,
    NotNegative,
    Number,
    ObjectActionDataSettings,
    Positive,
    SegmentationDataSettings,
    SegmentationModelSettings,
    TrajectoryDataSettings,
    TrajectoryModelSettings,
)
from vidlstm.structures import GIVEN

if TYPE_CHECKING:
    from torch import Tensor

CARD = "vidlstm"
"""The checkpoint's key for the card."""
VERSION = 2
"""Rises when an older vidlstm would read a card wrongly."""
MODEL = "model."
"""What the names of the network's weights begin with in a checkpoint."""

Labels = Annotated[tuple[Annotated[str, Len(0, 1000)], ...], Len(1, 100_000)]
Width = Annotated[int, Interval(ge=1, le=1_000_000)]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the cards of all tasks say.

    Attributes:
        task: whose card it is.
        seed: of the training.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}
    task: ClassVar[str]

    seed: int = 0

    def as_plain(self) -> dict[str, Any]:
        """What is written into the checkpoint: JSON values."""
        plain: dict[str, Any] = plain_json({"version": VERSION, "task": self.task, **asdict(self)})
        return plain


@dataclass(frozen=True, kw_only=True)
class VideoCard(Card):
    """Of whatever tells classes from the features of a backbone.

    Attributes:
        labels: the K class names.
        feature_dim: F.
        part_dims: the widths of the parts, one a network; they add up to F.
        backbone: ``Backbone.spec``: everything that changes the features; see also ``given``.
        weights_source: where the backbone's weights were, for people and for finding them again.
        fps, image_fps: features per second; the rate of folders of images.
    """

    labels: Labels
    feature_dim: Width
    part_dims: tuple[Width, ...] = ()
    backbone: dict[str, Any]
    weights_source: str = ""
    fps: Positive
    image_fps: Positive = 25.0

    def __post_init__(self) -> None:
        if not isinstance(self.backbone.get("backbone"), str):
            raise ValueError("its backbone has no name")
        if self.part_dims and sum(self.part_dims) != self.feature_dim:
            raise ValueError(f"parts of widths {self.part_dims} do not make {self.feature_dim}")

    @property
    def given(self) -> bool:
        """Whether features were made elsewhere: there is a width and a rate, and no network."""
        return self.backbone["backbone"] == GIVEN and "weights_sha256" not in self.backbone

    @property
    def widths(self) -> list[int]:
        """Of each network's features; cards of before the late fusion name their sum alone."""
        return list(self.part_dims) or [self.feature_dim]


@dataclass(frozen=True, kw_only=True)
class ActionCard(VideoCard):
    """Of a classifier of whole frames.

    Attributes:
        window_seconds: the median training clip, which a long video is cut into.
        model, data: the settings of the training.
    """

    task = "action"

    window_seconds: Positive
    model: ActionModelSettings
    data: ActionDataSettings = field(default_factory=ActionDataSettings)


@dataclass(frozen=True, kw_only=True)
class SegmentationCard(VideoCard):
    """Of a network that labels every step of a long video.

    Attributes:
        model, data: the settings of the training.
    """

    task = "segmentation"

    model: SegmentationModelSettings
    data: SegmentationDataSettings = field(default_factory=SegmentationDataSettings)


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """How objects were found and became sequences in a training.

    Attributes:
        tracking: values of ``TrackingSettings`` by name, and ``weights_sha256``.
        max_gap_seconds, minimum_seconds: as in ``ObjectActionDataSettings``.
    """

    tracking: dict[str, Any]
    max_gap_seconds: NotNegative
    minimum_seconds: NotNegative


@dataclass(frozen=True, kw_only=True)
class ObjectActionCard(ActionCard):
    """Of a classifier of tracked objects.

    Attributes:
        objects: how they were found.
    """

    task = "object_action"

    objects: Tracked
    data: ObjectActionDataSettings = field(default_factory=ObjectActionDataSettings)


@dataclass(frozen=True, kw_only=True)
class TrajectoryCard(Card):
    """Of a forecaster.

    Attributes:
        coordinates: 2 of points, 4 of boxes.
        unit: of lengths: metres, pixels or box heights.
        seconds_per_step: the length of a step.
        neighbours: the nearest others that are seen.
        model, data: the settings of the training.
    """

    task = "trajectory"

    coordinates: Annotated[int, Interval(ge=2, le=4)]
    unit: str
    seconds_per_step: Positive
    neighbours: Number = 0
    model: TrajectoryModelSettings
    data: TrajectoryDataSettings


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint as it lies on disk, its card not yet that of a task.

    Attributes:
        path: the file.
        task: what it says it was trained for.
        plain: the card's values, of the present version.
        weights: the network's state dict.
        epoch: that it was written after; -1 where it does not say.
    """

    path: Path
    task: str
    plain: dict[str, Any]
    weights: dict[str, Tensor]
    epoch: int

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, {self.task}, {len(self.weights)} tensors)"


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint that ``vidlstm train`` or :func:`save_card` wrote, without running code from it.

    Raises:
        CheckpointError: it is missing, damaged, would run code, was not written by vidlstm, or is newer.
    """
    import torch

    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give the checkpoint in it, such as {path / 'best.ckpt'}")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    if suffix_of(path.name) in VIDEO_SUFFIXES:
        raise CheckpointError(f"{path} is a video; the checkpoint is given first, then what it is used on")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch's reader stumble in many ways
        raise CheckpointError(
            f"{path} is damaged or would run code, and is not loaded: {torch_reason(error)}"
        ) from error
    card = content.get(CARD) if isinstance(content, dict) else None
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(card, dict) or not isinstance(state, dict):
        raise CheckpointError(f"{path} was not written by vidlstm train: it has no {CARD!r} card")
    weights = {str(k).removeprefix(MODEL): v for k, v in state.items() if str(k).startswith(MODEL)}
    if broken := [name for name, value in weights.items() if not _is_whole(value)]:
        raise CheckpointError(f"{path} is damaged: {broken[0]} is not a whole array of finite numbers")
    epoch = content.get("epoch")
    plain = _migrated(dict(card), path)
    return Checkpoint(path, plain["task"], plain, weights, epoch if isinstance(epoch, int) else -1)


def write_checkpoint(content: dict[str, Any], path: str | Path) -> None:
    """Writes a checkpoint under another name first, so that there is the old one or the whole new one.

    Raises:
        OutputError: the file cannot be written.
    """
    import torch

    write_whole(partial(torch.save, content), path)


def _is_whole(value: Any) -> bool:
    """Whether a weight is a dense tensor with a number of its own in each place, and none that is not finite.

    A few bytes can claim any size: a stride of 0, or a sparse tensor.
    """
    import torch

    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.device.type != "cpu":
        return False
    if value.untyped_storage().nbytes() < value.numel() * value.element_size():
        return False
    return not value.is_floating_point() or bool(torch.isfinite(value).all())


def _migrated(card: dict[str, Any], path: Path) -> dict[str, Any]:
    """The card in the present version."""
    version = card.get("version")
    if not isinstance(card.get("task"), str) or not isinstance(version, int):
        raise CheckpointError(f"{path} is damaged: its card names no task, or no version")
    if version == VERSION:
        return card
    if version == 1:
        return _from_version_1(card)
    raise CheckpointError(
        f"{path} has a card of version {version}, this vidlstm reads 1 to {VERSION}; "
        + ("a newer vidlstm wrote it" if version > VERSION else "it is damaged")
    )


def _from_version_1(card: dict[str, Any]) -> dict[str, Any]:
    """Version 1 told tracked objects from whole frames by a key, and repeated the forecaster's arguments."""
    card = {**card, "version": VERSION}
    if card.get("task") == "trajectory" and isinstance(network := card.pop("network", None), dict):
        card["coordinates"] = network.get("coordinates")
    elif card.get("task") == "action":
        objects, data = card.get("objects"), card.get("data")
        tracked = isinstance(objects, dict)
        card["task"] = "object_action" if tracked else "action"
        if not tracked and objects is None:
            card.pop("objects", None)
        if not tracked and isinstance(data, dict):
            only = (
                ObjectActionDataSettings.__dataclass_fields__.keys() - ActionDataSettings.__dataclass_fields__
            )
            card["data"] = {key: value for key, value in data.items() if key not in only}
    return card


C = TypeVar("C", bound=Card)


def typed_card(kind: type[C], checkpoint: Checkpoint) -> C:
    """The card of a checkpoint as that of a task; settings that did not exist then take their defaults.

    Raises:
        CheckpointError: it is for another task, or a value is not what the card's type says.
    """
    if checkpoint.task != kind.task:
        raise CheckpointError(f"{checkpoint.path} was trained for {checkpoint.task!r}, not {kind.task!r}")
    return card_from(kind, checkpoint.plain, str(checkpoint.path))


def card_from(kind: type[C], plain: dict[str, Any], source: str) -> C:
    """A card from its plain values; ``source`` is named where one is wrong.

    Raises:
        CheckpointError: a value is missing or is not what the card's type says.
    """
    from pydantic import TypeAdapter, ValidationError

    values = {key: value for key, value in plain.items() if key not in ("version", "task")}
    try:
        # Through JSON: there lists are tuples and text is a path, and else nothing is what it is not.
        card: C = TypeAdapter(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"])) or "it"
        raise CheckpointError(
            f"{source} is damaged: its card says wrongly of {where}: {mistake['msg']}"
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{source} is damaged: its card cannot be read: {error}") from None
    return card
