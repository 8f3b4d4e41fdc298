"""Networks that may be anyone's: run as they came wherever what makes them faster changes what they say.

Tracing a network runs its code on stand-ins for tensors. One whose code looks at what it is given (``if
isinstance(x, Tensor)``, ``x.view``, a constant of float32) may come out as another network, or not at all.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vidlstm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FRAMES = 2
"""To compare on: enough for a network that is mistaken about the batch to be found out."""
ROUNDINGS = 16
"""Errors of single roundings add up like a random walk: this many times one are some 250 roundings deep."""
LOWEST_PRECISION = {torch.float32: 2.0**-11, torch.bfloat16: 2.0**-8}
"""One rounding, relative; on a GPU a convolution in float32 may round as coarsely as TF32."""


class AsItCame(nn.Module):
    """A copy of a network as its author wrote it, in ``dtype`` from end to end."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = deepcopy(module).to(dtype), dtype

    def forward(self, images: Tensor) -> Any:
        """Images ``(B, 3, H, W)`` to whatever the network gives."""
        # Contiguous: channels_last images break a network that flattens with view().
        return self.module(images.contiguous().to(self.dtype))


def width_of(name: str, features: Any, batch: int) -> int:
    """F, where ``features`` are ``(batch, F)``.

    Raises:
        SettingsError: they are not, F is 0, or one is no finite number.
    """
    if isinstance(features, Tensor) and features.ndim == 2 and len(features) == batch and features.shape[1]:
        if not bool(torch.isfinite(features).all()):
            raise SettingsError(
                f"{name} gives infinite values or none at all (nan); are its weights damaged?"
            )
        return features.shape[1]
    given = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
    raise SettingsError(
        f"{name} gives {given} for {batch} frames; a backbone gives one vector for each, ({batch}, F): "
        "pool maps (B, C, H, W) with x.mean((2, 3)), and tokens (B, N, C) with x.mean(1) or x[:, 0]"
    )


@torch.inference_mode()
def first_that_agrees(
    candidates: Iterable[Callable[[], nn.Module]], exact: AsItCame, images: Tensor, dtype: torch.dtype
) -> nn.Module:
    """The first network that says nearly the same as ``exact``.

    Args:
        candidates: what makes each of them; one that fails is passed over.
        exact: the network as it came, in float32; taken where no other agrees.
        images: ``(B, 3, H, W)``.
        dtype: what the candidates compute in, which says how near they can come.
    """
    wanted = exact(images)
    for make in candidates:
        try:
            candidate = make()
            apart = torch.linalg.vector_norm(candidate(images).float() - wanted)
        except Exception:  # noqa: BLE001  # it may be anyone's code, run in a way it was not written for
            continue
        if apart <= ROUNDINGS * LOWEST_PRECISION[dtype] * torch.linalg.vector_norm(wanted):
            return candidate
    return exact
