"""Making a frozen network faster without changing what it says: folded batch norms, bfloat16 after the stem.

bfloat16 keeps eight bits of every weight and activation. Cosine with the float32 features, smallest of 84
real frames (surveillance clips):

=============================================  ============  ==================
                                               mobilenet_v2  efficientnet_lite0
=============================================  ============  ==================
everything in bfloat16                         0.9973        0.9979
... kernels rounded with their sum kept        0.9988        0.9990
... biases and the first 3 of 50 convolutions  0.9996        0.9996
    in float32
=============================================  ============  ==================

Most of the error comes from the weights of depthwise kernels, which nothing averages, and from the first
layers, whose roundings spread over all that follow.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse

from vidlstm.backbones.untouched import AsItCame

STEM_SHARE = 1 / 4
EXACT_BIAS_STEM_SHARE = 1 / 16
"""Enough where convolutions take their biases in float32 (``onednn.py``)."""


def prepare(module: nn.Module, dtype: torch.dtype, *, stem_share: float = STEM_SHARE) -> nn.Module:
    """Folds batch norms into the convolutions before them and casts all but the stem.

    Args:
        module: in eval mode; it is not changed. Of one that torch.fx cannot trace a copy is cast.
        dtype: what everything after the stem computes in.
        stem_share: the share of the convolutions, from the first on, that stays in float32; at least one.

    Returns:
        A module that takes float32 images ``(B, 3, H, W)``; an ``fx.GraphModule`` where it could be traced.
    """
    try:
        folded: Any = fuse(module)
    except Exception:  # noqa: BLE001  # tracing runs code that may be anyone's on stand-ins for tensors
        # Networks with data-dependent control flow: correct, only slower and rounder.
        return AsItCame(module, dtype)
    return folded if dtype == torch.float32 else _cast_after_stem(folded, dtype, stem_share)


def round_kernels(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Rounds convolution weights so that the sum of every kernel stays what it was.

    Each tap passes its rounding error on to the next smaller one, which leaves the error of the smallest
    tap alone. Neighbouring pixels are alike, so it is the sum of a kernel that its output follows.

    Args:
        weight: ``(out, in, height, width)`` float32; kernels of one tap are rounded to the nearest.
        dtype: what to round to.

    Returns:
        The same shape in ``dtype``.
    """
    order = weight.flatten(2).abs().argsort(dim=-1, descending=True, stable=True)
    taps = weight.flatten(2).gather(-1, order)
    rounded, carried = torch.empty_like(taps, dtype=dtype), torch.zeros_like(taps[..., 0])
    for i in range(taps.shape[-1]):
        carried = carried + taps[..., i]
        rounded[..., i] = carried.to(dtype)
        carried = carried - rounded[..., i].float()
    return torch.empty_like(rounded).scatter_(-1, order, rounded).view_as(weight)


def _cast_after_stem(traced: fx.GraphModule, dtype: torch.dtype, stem_share: float) -> fx.GraphModule:
    """Leaves everything up to the last convolution of the stem in float32, and casts what crosses over."""
    nodes = list(traced.graph.nodes)
    cut = _end_of_stem(traced, nodes, stem_share)
    before = {node for node in nodes[: cut + 1] if node.op != "get_attr"}
    kept = {str(node.target) for node in before if node.op == "call_module"}
    rest = [
        module
        for name, module in traced.named_modules()
        if name and name not in kept and not any(k.startswith(f"{name}.") for k in kept)
    ]
    for module in rest:
        if isinstance(module, nn.Conv2d):
            _round_convolution(module, dtype)
    for module in rest:
        module.to(dtype)
    for name, parameter in traced.named_parameters(recurse=False):
        setattr(traced, name, nn.Parameter(parameter.to(dtype), requires_grad=False))
    crossing = [node for node in before if any(user not in before for user in node.users)]
    for node in sorted(crossing, key=nodes.index):
        with traced.graph.inserting_after(nodes[cut]):
            cast = traced.graph.call_function(_cast, (node, dtype))
        node.replace_all_uses_with(
            cast, delete_user_cb=lambda user, c=cast: user not in before and user is not c
        )
    _cast_attributes(traced, before, dtype)
    traced.recompile()
    return traced


def _cast_attributes(traced: fx.GraphModule, before: set[fx.Node], dtype: torch.dtype) -> None:
    """Lets weights that are read outside their own layer be used in the stem and after it, where they are."""
    for node in [n for n in traced.graph.nodes if n.op == "get_attr"]:
        held = attrgetter(str(node.target))(traced)
        if not isinstance(held, Tensor) or not held.is_floating_point():
            continue
        for user in list(node.users):
            wanted = torch.float32 if user in before else dtype
            if held.dtype != wanted:
                with traced.graph.inserting_before(user):
                    user.replace_input_with(node, traced.graph.call_function(_cast, (node, wanted)))


def _end_of_stem(traced: fx.GraphModule, nodes: list[fx.Node], stem_share: float) -> int:
    """The index of the stem's last node."""
    convolutions = [i for i, node in enumerate(nodes) if is_convolution(traced, node)]
    if not convolutions:
        return 0
    cut = convolutions[max(1, int(stem_share * len(convolutions))) - 1]
    # A convolution that is used again later has one set of weights: the stem reaches to its last use.
    kept = {nodes[i].target for i in convolutions if i <= cut}
    return max(i for i in convolutions if nodes[i].target in kept)


def _round_convolution(module: nn.Conv2d, dtype: torch.dtype) -> None:
    module.weight.data = round_kernels(module.weight.data, dtype).float()
    if module.bias is not None:
        module.exact_bias = module.bias.data


def _cast(value: object, dtype: torch.dtype) -> object:
    # Sizes cross the cut too.
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


def is_convolution(traced: nn.Module, node: fx.Node) -> bool:
    """Whether a node of a traced network is one of its ``nn.Conv2d`` modules."""
    return node.op == "call_module" and isinstance(traced.get_submodule(str(node.target)), nn.Conv2d)
