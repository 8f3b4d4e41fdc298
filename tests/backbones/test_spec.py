"""Specs are part of every features file and checkpoint: what they say of a network must not change."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torchvision import models

from tests.backbones.networks import build
from vidlstm.backbones.torchvision import cut_head
from vidlstm.backbones.weights import hash_parameters

IMAGENET = '"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "feature_dim"'
SQUEEZENET = (
    '{"backbone": "squeezenet1_1", "weights_sha256": "random:squeezenet1_1", "dtype": "float32", '
    f'"view": "picture", "frame": [224, 224, "squash"], {IMAGENET}: 512}}'
)
SHUFFLENET = (
    '{"backbone": "shufflenet_v2_x0_5:motion", "weights_sha256": "random:shufflenet_v2_x0_5", '
    f'"dtype": "float32", "view": "motion", "frame": [224, 224, "squash"], {IMAGENET}: 1024}}'
)
SPECS = {
    ("squeezenet1_1", "random", "auto"): SQUEEZENET,
    ("squeezenet1_1", "random", "crop"): SQUEEZENET.replace("squash", "crop"),
    ("shufflenet_v2_x0_5:motion", "random", "auto"): SHUFFLENET,
    ("squeezenet1_1+shufflenet_v2_x0_5:motion", "random+random", "auto"): (
        '{"backbone": "squeezenet1_1+shufflenet_v2_x0_5:motion", '
        '"weights_sha256": "random:squeezenet1_1+random:shufflenet_v2_x0_5", "dtype": "float32", '
        f'"frame": [224, 224, "squash"], "feature_dim": 1536, "parts": [{SQUEEZENET}, {SHUFFLENET}]}}'
    ),
}
"""As 0.1.0 writes them, but for the digits of the drawn weights, which follow the machine."""


def drawn_hash(name: str) -> str:
    """Of torchvision's own network as torch draws it at seed 0, without its last layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = models.get_model(name, weights=None)
    cut_head(model)
    return hash_parameters(model)


@pytest.mark.parametrize(("name", "weights", "fit"), SPECS)
def test_a_spec_is_what_it_always_was(name: str, weights: str, fit: str) -> None:
    wanted = SPECS[name, weights, fit]
    for drawn in ("squeezenet1_1", "shufflenet_v2_x0_5"):
        wanted = wanted.replace(f"random:{drawn}", f"random:{drawn_hash(drawn)}")
    assert json.dumps(build(name, weights=weights, fit=fit, dtype="float32").spec) == wanted


def test_the_hash_of_weights_is_what_it_always_was() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    with torch.no_grad():
        for number, value in enumerate(module.parameters()):
            value.copy_(torch.arange(value.numel()).reshape(value.shape) + number)
    assert hash_parameters(module) == ("da0a5a0f148ab89aa407dd2b3d84e6a13d968ca0726e94bd0156478c14e35a52")
