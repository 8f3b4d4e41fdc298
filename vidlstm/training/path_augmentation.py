"""Changed copies of whole windows, observed and future steps together, for training.

Lengths are in typical steps of the data, so that metres and pixels are treated alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PathAugmentation:
    """How windows are changed. Each window draws its own change.

    Args:
        flip: probability of mirroring (the heading is turned away by the model, so no rotation is needed).
        reverse: probability of walking backwards in time.
        scale: sizes are multiplied by exp(u), u uniform in ±scale: other speeds and rates.
        noise: largest standard deviation of noise on *observed* positions, in typical steps; the future stays
            clean. Trackers and annotators differ in how noisy they are; without this a network trained on
            smooth tracks trusts the last step of a noisy one.
        noisy: probability of noise.
    """

    flip: float = 0.5
    reverse: float = 0.5
    scale: float = 0.3
    noise: float = 0.25
    noisy: float = 0.5

    def __post_init__(self) -> None:
        for name in ("flip", "reverse", "noisy"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, not {getattr(self, name)}")
        if self.scale < 0 or self.noise < 0:
            raise ValueError(f"scale {self.scale} and noise {self.noise} cannot be negative")


LEAST_NOISE = math.log(20.0)
"""Noise amplitudes are log-uniform between a twentieth of the largest and the largest."""


def augment_paths(
    paths_BTC: Tensor,
    neighbours_BNT2: Tensor | None,
    *,
    observed: int,
    typical_step: Tensor | float,
    how: PathAugmentation,
) -> tuple[Tensor, Tensor | None]:
    """Changed windows and neighbours, from torch's global generator.

    Args:
        paths_BTC: whole windows, centred on the last observed step.
        neighbours_BNT2: observed paths of others; windows with neighbours are not reversed, since where the
            others go next is not known.
        observed: how many of the T steps are observed.
        typical_step: of the data.
        how: see :class:`PathAugmentation`.

    Returns:
        Windows centred on their (new) last observed step, and neighbours in the same frame.
    """
    batch = len(paths_BTC)
    if how.reverse and neighbours_BNT2 is None:
        back_B = torch.rand(batch, device=paths_BTC.device) < how.reverse
        paths_BTC = torch.where(back_B[:, None, None], paths_BTC.flip(1), paths_BTC)
    factor_BC = _factors(paths_BTC, how)
    paths_BTC = paths_BTC * factor_BC[:, None]
    paths_BTC = _with_noise(paths_BTC, observed, how.noise * typical_step, how.noisy)
    here_B1C = paths_BTC[:, observed - 1 : observed].clone()
    # Only the place moves: a box keeps its size.
    here_B1C[..., 2:] = 0
    if neighbours_BNT2 is not None:
        neighbours_BNT2 = neighbours_BNT2 * factor_BC[:, None, None, :2] - here_B1C[:, None, :, :2]
    return paths_BTC - here_B1C, neighbours_BNT2


def _factors(paths_BTC: Tensor, how: PathAugmentation) -> Tensor:
    batch, _, width = paths_BTC.shape
    size_B = torch.exp((2 * torch.rand(batch, device=paths_BTC.device) - 1) * how.scale)
    mirror_B = torch.where(torch.rand(batch, device=paths_BTC.device) < how.flip, -1.0, 1.0)
    factor_BC = size_B[:, None].repeat(1, width)
    factor_BC[:, 1] *= mirror_B
    return factor_BC


def _with_noise(paths_BTC: Tensor, observed: int, largest: Tensor | float, probability: float) -> Tensor:
    batch, _, width = paths_BTC.shape
    share_B = torch.exp(-LEAST_NOISE * torch.rand(batch, device=paths_BTC.device))
    on_B = (torch.rand(batch, device=paths_BTC.device) < probability).to(paths_BTC.dtype)
    noise_BTC = torch.randn(batch, observed, width, device=paths_BTC.device, dtype=paths_BTC.dtype)
    noise_BTC = noise_BTC * (share_B * on_B * largest)[:, None, None]
    return torch.cat([paths_BTC[:, :observed] + noise_BTC, paths_BTC[:, observed:]], dim=1)
