"""The part of a YOLO network that is all convolutions, in a form that can be folded, fused and cast.

What follows it, boxes out of numbers, stays in float32 and in Ultralytics' own code (``detections.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vidlstm.backbones.yolo.model import YoloModel

RAW = ("boxes", "scores", "kpts")
"""A head's raw outputs, as it names them; the last for pose alone."""


class Neck(nn.Module):
    """Images ``(B, 3, H, W)`` to the mean over each map of the neck, one after another, ``(B, F)``.

    Of a classifier, which has no neck, to what its last layer takes.
    """

    def __init__(self, model: YoloModel) -> None:
        super().__init__()
        network: Any = model.module
        self.layers, self.head, self.keep = network.model[:-1], network.model[-1], tuple(network.save)
        self.classifies = model.task == "classify"
        for module in self.modules():
            if hasattr(module, "forward_split"):
                # The same, in a form that fx can trace.
                module.forward = module.forward_split  # type: ignore[assignment]

    def maps(self, images: Tensor) -> list[Tensor]:
        """What the head takes."""
        x: Any = images
        kept: list[Any] = []
        for layer in self.layers:
            x = layer(_inputs(layer, x, kept))
            kept.append(x if layer.i in self.keep else None)
        given = _inputs(self.head, x, kept)
        return given if isinstance(given, list) else [given]

    def forward(self, images: Tensor) -> Any:
        """See the class."""
        maps = self.maps(images)
        if self.classifies:
            maps = [self.head.conv(x) for x in maps]
        return torch.cat([x.mean((2, 3)) for x in maps], 1)


class Head(Neck):
    """Images ``(B, 3, H, W)`` to the head's raw outputs, ``(B, values, A)`` each, for ``A`` places."""

    def __init__(self, model: YoloModel) -> None:
        super().__init__(model)
        self.wanted = RAW if model.task == "pose" else RAW[:2]
        self.end_to_end = model.end_to_end

    def forward(self, images: Tensor) -> list[Tensor]:
        """See the class."""
        branches = self.head.one2one if self.end_to_end else self.head.one2many
        raw = self.head.forward_head(self.maps(images), **branches)
        return [raw[name] for name in self.wanted]


def _inputs(layer: Any, last: Any, kept: list[Any]) -> Any:
    """The layers say where their inputs come from: -1 is the layer before."""
    if isinstance(layer.f, int):
        return last if layer.f == -1 else kept[layer.f]
    return [last if i == -1 else kept[i] for i in layer.f]


def traced(module: nn.Module) -> nn.Module:
    """``module`` as a graph, or as it is where it cannot be traced; that is only slower."""
    try:
        graph = fx.GraphModule(module, _Tracer().trace(module))
    except (fx.proxy.TraceError, TypeError, RuntimeError, NotImplementedError, AttributeError, IndexError):
        return module
    graph.graph.eliminate_dead_code()  # masks, which are not looked at
    graph.recompile()
    return graph


class _Tracer(fx.Tracer):
    """Knows how many parts come of what Ultralytics' layers take apart."""

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        arguments: Any = obj.node.args[1:]
        if obj.node.target == "split":
            parts = len(arguments[0])
        elif obj.node.target == "chunk":
            parts = arguments[0]
        elif arguments == ("shape",):
            parts = 4  # images and maps alone
        else:
            return super().iter(obj)
        whole: Any = obj
        return iter([whole[i] for i in range(parts)])
