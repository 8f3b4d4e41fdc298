"""Labelled clips to a data module: whole frames, or with a tracks table their tracked objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vidlstm.features.extract import make_store
from vidlstm.verbs.action_data import prepare_data
from vidlstm.verbs.extract import backbone_from, backbone_of_card
from vidlstm.verbs.object_data import prepare_objects
from vidlstm.verbs.object_network import ObjectNetwork, object_network, object_network_of_card

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vidlstm.backbones.base import Backbone
    from vidlstm.datamodules.sequence_data import SequenceData
    from vidlstm.datasets import ClipRecord
    from vidlstm.settings import ActionDataSettings, BackboneSettings, SamplingSettings
    from vidlstm.verbs.extract import Progress


def network_from(data: ActionDataSettings, backbone: BackboneSettings) -> Backbone | ObjectNetwork:
    """What settings ask to see of frames, or of tracked objects."""
    if data.tracks is None:
        return backbone_from(backbone)
    return object_network(backbone, crop_margin=data.crop_margin)


def network_of_card(card: dict[str, Any], backbone: BackboneSettings) -> Backbone | ObjectNetwork:
    """What a checkpoint was trained to see."""
    return (object_network_of_card if card.get("objects") else backbone_of_card)(card, backbone)


def gather_clips(
    train: Sequence[ClipRecord],
    validation: Sequence[ClipRecord],
    labels: Sequence[str],
    *,
    data: ActionDataSettings,
    network: Backbone | ObjectNetwork,
    store: Path,
    backbone: BackboneSettings,
    sampling: SamplingSettings,
    seed: int,
    progress: Progress | None = None,
    extracted_elsewhere: bool = False,
) -> SequenceData:
    """Extracts what is missing, unless another process did, and gathers the features of clips.

    Raises:
        DatasetError: videos cannot be read, or a side has no clip left.
    """
    common: dict[str, Any] = {
        "data": data,
        "sampling": sampling,
        "seed": seed,
        "progress": progress,
        "extracted_elsewhere": extracted_elsewhere,
    }
    if isinstance(network, ObjectNetwork):
        return prepare_objects(
            train, validation, labels, network=network, store=store, backbone=backbone, **common
        )
    features = make_store(store, network, fps=sampling.fps, image_fps=sampling.image_fps)
    return prepare_data(
        train,
        validation,
        labels,
        store=features,
        backbone=network,
        backbone_settings=backbone,
        **common,
    )
