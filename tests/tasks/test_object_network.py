"""How bodies are described is part of a checkpoint: old ones go on seeing what they were trained on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vidlstm.backbones.yolo.person_features import LAYOUT, UNFILLED_LAYOUT
from vidlstm.errors import WeightsError
from vidlstm.settings import BackboneSettings
from vidlstm.tasks.object_action.network import ObjectNetwork, object_network, object_network_of_card

SETTINGS = BackboneSettings(name="track:pose")


def of_card(layout: Any) -> ObjectNetwork:
    spec = {"backbone": "track:pose", "feature_dim": 79, "pose_layout": layout}
    card: Any = SimpleNamespace(backbone=spec, weights_source="")
    return object_network_of_card(card, SETTINGS)


def test_a_new_network_fills_keypoints_and_says_so() -> None:
    network = object_network(SETTINGS, crop_margin=0.1)
    assert network.fills_keypoints and network.spec["pose_layout"] == LAYOUT == [2, 1]
    assert of_card(LAYOUT).fills_keypoints


def test_a_checkpoint_of_before_goes_on_without() -> None:
    network = of_card([1, 1])
    assert not network.fills_keypoints and network.spec["pose_layout"] == UNFILLED_LAYOUT == [1, 1]


@pytest.mark.parametrize("layout", [[3, 1], [2, 2], "x", None])
def test_another_layout_is_refused(layout: Any) -> None:
    with pytest.raises(WeightsError, match="describes bodies in layout"):
        of_card(layout)
