"""Matrix products with a weight, on the fastest library that is there.

In float32 on a CPU, torch's ``F.linear`` runs on MKL, which takes twice as long on an AMD processor as
oneDNN, the library under ``nn.LSTM``. This module calls it as torch's own compiler does, with the weight in
oneDNN's layout and everything else as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

ONEDNN_PAYS_FROM = 2**22
"""Multiplications in one product from which oneDNN wins although the weight is put into its layout first."""

_HAS_ONEDNN = cast("Callable[[], bool]", torch.backends.mkldnn.is_available)() and hasattr(
    torch.ops.mkldnn, "_linear_pointwise"
)


def product_with(W_MN: Tensor, rows: int, dtype: torch.dtype | None = None) -> Callable[[Tensor], Tensor]:
    """Makes a weight ready for many products.

    Args:
        W_MN: the weight; gradients are not tracked.
        rows: about how many rows each product will have.
        dtype: multiply in this number format (of autocast) instead of the weight's own.

    Returns:
        a function from ``a (rows, N)`` to ``a Wᵀ (rows, M)``, in the weight's number format.
    """
    if dtype is not None and dtype != W_MN.dtype:
        low_MN = W_MN.to(dtype)
        return lambda a: F.linear(a.to(dtype), low_MN).to(W_MN.dtype)
    if _on_onednn(W_MN, rows):
        packed_MN = torch.ops.mkldnn._reorder_linear_weight(W_MN.contiguous(), rows)
        return lambda a: torch.ops.mkldnn._linear_pointwise(a, packed_MN, None, "none", [], "")
    return lambda a: F.linear(a, W_MN)


def _on_onednn(W_MN: Tensor, rows: int) -> bool:
    return (
        W_MN.device.type == "cpu"
        and W_MN.dtype == torch.float32
        and rows * W_MN.numel() >= ONEDNN_PAYS_FROM
        and _HAS_ONEDNN
        and bool(torch.backends.mkldnn.enabled)
        and not torch.compiler.is_compiling()
    )


def affine(x_NF: Tensor, U_GF: Tensor, b_G: Tensor | None) -> Tensor:
    """x Uᵀ + b ``(N, G)`` in the number format of U, differentiable once where oneDNN does it."""
    if torch.is_autocast_enabled(x_NF.device.type) or not _on_onednn(U_GF, len(x_NF)):
        return F.linear(x_NF, U_GF, b_G).to(U_GF.dtype)
    y_NG: Tensor = _Affine.apply(x_NF, U_GF, b_G)
    return y_NG


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NF: Tensor, U_GF: Tensor, b_G: Tensor | None) -> Tensor:
        ctx.save_for_backward(x_NF, U_GF)
        y_NG = product_with(U_GF, len(x_NF))(x_NF)
        return y_NG if b_G is None else y_NG.add_(b_G)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_y_NG: Tensor) -> tuple[Tensor | None, ...]:
        x_NF, U_GF = ctx.saved_tensors
        needs_x, needs_U, needs_b = ctx.needs_input_grad
        return (
            product_with(U_GF.t(), len(x_NF))(d_y_NG) if needs_x else None,
            weight_gradient(d_y_NG, x_NF) if needs_U else None,
            d_y_NG.sum(0) if needs_b else None,
        )


def weight_gradient(d_y_NG: Tensor, x_NF: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The gradient ``(G, F)`` of W in y = x Wᵀ, over all N rows in one product."""
    return product_with(x_NF.t(), d_y_NG.shape[1], dtype)(d_y_NG.t())
