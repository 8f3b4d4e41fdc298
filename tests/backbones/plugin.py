"""Backbones from outside the package, as a user's module has them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidlstm.backbones.network import Network

WIDTH = 24


class Tiny(nn.Module):
    """Two convolutions, flattened with ``view``, which channels_last images do not allow."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 5, stride=4), nn.BatchNorm2d(16), nn.ReLU())
        self.rest = nn.Conv2d(16, WIDTH, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.rest(self.stem(images))
        return maps.view(len(images), WIDTH, -1).mean(2)


def tiny(weights: str | None) -> Network:
    module = Tiny()
    if weights not in (None, "random"):
        module.load_state_dict(torch.load(weights, weights_only=True))
    return Network.of(module, size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25), fit="crop")


def wrong(weights: str | None) -> nn.Module:
    return Tiny()


number = 3
