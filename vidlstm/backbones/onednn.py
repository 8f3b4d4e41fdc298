"""Convolutions on a CPU: weights laid out for oneDNN once, and the activation done in the same pass.

Measured on one core (AMD Zen 5, mobilenet_v2, bfloat16, 8 frames): 3.7 ms a frame instead of 4.9; float32
gains more, because torch leaves oneDNN aside for small batches on one thread. torch.compile calls the same
operators, but needs a C++ compiler on the user's machine and a minute of their time.

The operators are torch's own but not public. Where an installed torch lacks them, nothing is changed.
"""

from __future__ import annotations

import platform
from collections import Counter
from typing import Any

import torch
from torch import Tensor, fx, nn

from vidlstm.backbones.precision import is_convolution

Activation = tuple[str, list[float], str]
NONE: Activation = ("none", [], "")
ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.ReLU: ("relu", [], ""),
    nn.ReLU6: ("hardtanh", [0.0, 6.0], ""),
    nn.Hardswish: ("hardswish", [], ""),
    nn.SiLU: ("swish", [], ""),
}
"""Activations that give the same numbers inside a convolution as after it; SiLU but for the last bits, which
torch's own computes differently for the last few values of a batch."""


class FusedConvolution(nn.Module):
    """A convolution and the activation after it, for channels_last images on a CPU."""

    def __init__(self, convolution: nn.Conv2d, activation: Activation, shape: list[int]) -> None:
        super().__init__()
        self._geometry = (
            list(convolution.padding),
            list(convolution.stride),
            list(convolution.dilation),
            convolution.groups,
        )
        self._activation = activation
        # In float32 where precision.py left it so: oneDNN adds it before it rounds.
        self._bias = getattr(convolution, "exact_bias", convolution.bias)
        # Not a parameter: it is in oneDNN's own layout, which no other operator reads.
        self._weight: Tensor = torch._C._nn.mkldnn_reorder_conv2d_weight(
            convolution.weight.data.to_mkldnn(),
            *self._geometry,
            shape,  # type: ignore[call-arg]
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` to ``(B, C', H', W')``."""
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            images, self._weight, self._bias, *self._geometry, *self._activation
        )
        return result


def is_available(dtype: torch.dtype) -> bool:
    """Whether this torch has the operators, and this processor what they need for ``dtype``."""
    return (
        platform.machine() in ("x86_64", "AMD64")  # they were not tried on others
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
        and (dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))
    )


def fuse_convolutions(traced: fx.GraphModule, example: Tensor) -> fx.GraphModule:
    """Replaces every plain convolution, in place.

    Args:
        traced: in channels_last, on the CPU.
        example: images of the shape that will be run; the weights are laid out for it.

    Returns:
        ``traced``.
    """
    for node, shape in _Shapes(traced).of(example).items():
        after = next(iter(node.users)) if len(node.users) == 1 else None
        activation = _activation(traced, after)
        convolution: Any = traced.get_submodule(str(node.target))
        traced.set_submodule(str(node.target), FusedConvolution(convolution, activation, shape))
        if after is not None and activation is not NONE:
            after.replace_all_uses_with(node)
            traced.graph.erase_node(after)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


class _Shapes(fx.Interpreter):
    """Runs the network once and notes what shape each convolution that can be replaced is given."""

    def of(self, example: Tensor) -> dict[fx.Node, list[int]]:
        self._found: dict[fx.Node, list[int]] = {}
        with torch.inference_mode():
            self.run(example[:1])  # one image tells what more would, in a fraction of the time
        # One module used in two places keeps its weights plain.
        uses = Counter(node.target for node in self._found)
        return {
            node: [len(example) * images, *rest]
            for node, (images, *rest) in self._found.items()
            if uses[node.target] == 1
        }

    def run_node(self, n: fx.Node) -> Any:
        if is_convolution(self.module, n) and _is_plain(self.module.get_submodule(str(n.target))):
            self._found[n] = list(self.fetch_args_kwargs_from_env(n)[0][0].shape)
        return super().run_node(n)


def _is_plain(convolution: Any) -> bool:
    return (
        type(convolution) is nn.Conv2d
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
    )


def _activation(traced: fx.GraphModule, node: fx.Node | None) -> Activation:
    if node is None or node.op != "call_module":
        return NONE
    return ACTIVATIONS.get(type(traced.get_submodule(str(node.target))), NONE)
