"""``--backbone.weights random``: networks with drawn weights, for trying things out; never taken unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from vidlstm.backbones.weights import RANDOM, hash_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
SEED = 0
NOISE_FRAMES = 8


def draw(build: Callable[[], T]) -> T:
    """What ``build`` gives with the same random numbers on every call; the caller's are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return build()


def settle(module: nn.Module, side: int) -> str:
    """Makes a drawn network usable, in place, and names its weights.

    Batch norms of an untrained network scale by nothing, so its features come out as small as 1e-14 or as
    large as 1e11, and float16 keeps neither. Here they take their averages from noise.

    Args:
        module: with the values drawn.
        side: of the square images it takes, in pixels.

    Returns:
        ``random:`` and the SHA-256 of the values drawn.
    """
    digest = f"{RANDOM}:{hash_parameters(module)}"
    norms = [m for m in module.eval().modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None  # the plain average of all that is seen
        norm.train()
    if norms:
        with torch.no_grad():
            module(_noise(side))
    module.eval()
    return digest


def _noise(side: int) -> Tensor:
    """Images ``(B, 3, side, side)`` with as much in every octave, as in pictures of the world."""
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.zeros(NOISE_FRAMES, 3, side, side)
    grid = side
    while grid >= 2:
        coarse = torch.randn(NOISE_FRAMES, 3, grid, grid, generator=generator)
        noise += nn.functional.interpolate(coarse, size=(side, side), mode="bilinear") / 2
        grid //= 2
    return noise
