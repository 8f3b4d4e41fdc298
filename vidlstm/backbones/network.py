"""One network of a backbone: what a network file supplies, and how it is frozen, cast, fed and run."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from vidlstm.backbones import onednn
from vidlstm.backbones.parts import JOINT
from vidlstm.backbones.precision import EXACT_BIAS_STEM_SHARE, STEM_SHARE, prepare
from vidlstm.backbones.untouched import FRAMES, AsItCame, first_that_agrees, width_of
from vidlstm.backbones.weights import hash_parameters
from vidlstm.structures import FrameSize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
CPU_FRAMES = 4
"""Frames that go through the network at once on a CPU.

More do not fit the caches, and the memory of their activations goes back to the system after every layer:
at 32 frames mobilenet_v2 spent a third of its time there, at 8, with a thread per core, up to a tenth.
"""


@dataclass(frozen=True, eq=False)
class Network:
    """A network cut at its penultimate layer, with all that is needed to feed it.

    Attributes:
        name: as the user asked for it.
        module: normalised images ``(B, 3, H, W)`` to features ``(B, F)``, or to what ``describe`` takes.
        size: the frames it wants.
        mean, std: per channel, of images scaled to 0..1.
        weights_sha256: of the weights file, or ``random:`` and the hash of the drawn values.
        weights_source: where they came from, for people.
        view: what it is shown of a frame, one of ``structures.VIEWS``.
        describe: what makes features ``(B, F)`` of the module's outputs, in float32, where those are not
            features yet.
        settings: whatever else changes the features, as JSON values; it goes into the spec.
        foreign: it may be anyone's code, and is compared with itself as it came (``untouched.py``).
    """

    name: str
    module: nn.Module
    size: FrameSize
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights_sha256: str
    weights_source: str
    view: str = "picture"
    describe: nn.Module | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    foreign: bool = False

    @staticmethod
    def of(
        module: nn.Module,
        *,
        size: int | tuple[int, int],
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
        fit: Literal["squash", "crop", "letterbox"] = "squash",
        name: str | None = None,
        view: Literal["picture", "motion"] = "picture",
    ) -> Network:
        """A network of yours.

        Its fingerprint is made of its weights, its class's name and what is given here. Give it another
        ``name`` when its code comes to compute something else.

        Args:
            module: images ``(B, 3, H, W)``, RGB, scaled to 0..1 and then by ``mean`` and ``std``, to features
                ``(B, F)``. It is copied, to the CPU and float32, and yours is left as it is.
            size: of the frames it wants, in pixels: a side, or height and width.
            mean, std: per channel.
            fit: how frames of another shape are brought to ``size``; see ``structures.FITS``.
            name: what it is called in checkpoints; None is the name of its class.
            view: what it is shown of a frame.

        Raises:
            ValueError: the size, fit or name cannot be.
        """
        module = deepcopy(module).cpu().float()
        height, width = (size, size) if isinstance(size, int) else size
        kind = type(module).__qualname__
        if name is not None and (not name or JOINT in name):
            raise ValueError(f"a backbone cannot be called {name!r}: {JOINT} joins several")
        return Network(
            name=name or kind,
            module=module,
            size=FrameSize(height, width, fit),
            mean=_three(mean, "mean"),
            std=_three(std, "std"),
            weights_sha256=hash_parameters(module),
            weights_source="",
            view=view,
            settings={"class": kind},
            foreign=True,
        )


def _three(values: Sequence[float], name: str) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is three numbers, red, green and blue, not {values!r}") from None
    if not all(math.isfinite(value) for value in (red, green, blue)):
        raise ValueError(f"{name} must be finite, not {values}")
    if name == "std" and min(red, green, blue) <= 0:
        raise ValueError(f"std must be above 0, not {values}")
    return red, green, blue


class FrozenNetwork:
    """A network as it is run: in eval mode, nothing to train, cast and placed.

    Args:
        network: what to run.
        dtype: a name in ``DTYPES``. The network itself is cast (see ``precision.py``): autocast would cast
            the weights anew on every call.
        device: where it runs.
        compile: run it through ``torch.compile``.

    Attributes:
        module: the network, prepared.
        feature_dim: F, asked of it.
        spec: all that changes its features.
    """

    def __init__(self, network: Network, *, dtype: str, device: torch.device, compile: bool) -> None:
        self._size, self._device = network.size, device
        network.module.eval().requires_grad_(False)
        # (x / 255 - mean) / std as one multiply and one add, in float32: pixels are rounded once.
        std = torch.tensor(network.std, device=device)
        self._scale_C = (1.0 / (255.0 * std))[:, None, None]
        self._shift_C = (-torch.tensor(network.mean, device=device) / std)[:, None, None]
        choose = self._compared if network.foreign else self._prepared
        self.module = choose(network, DTYPES[dtype], compile).eval()
        self._describe = network.describe.eval().to(device) if network.describe is not None else None
        self._forward = torch.compile(self._outputs) if compile else self._outputs
        with torch.inference_mode():
            self.feature_dim = width_of(network.name, self(self._blank(1)), 1)
        self.spec: dict[str, Any] = {
            "backbone": network.name,
            "weights_sha256": network.weights_sha256,
            "dtype": dtype,
            "view": network.view,
            "frame": [self._size.height, self._size.width, self._size.fit],
            "mean": list(network.mean),
            "std": list(network.std),
            "feature_dim": self.feature_dim,
            **network.settings,
        }

    def _prepared(self, network: Network, dtype: torch.dtype, compile: bool) -> nn.Module:
        fused = self._device.type == "cpu" and not compile and onednn.is_available(dtype)
        share = EXACT_BIAS_STEM_SHARE if fused else STEM_SHARE
        module = prepare(network.module, dtype, stem_share=share).to(self._device)
        if isinstance(module, AsItCame):
            return module
        for value in [*module.parameters(), *module.buffers()]:
            if value.ndim == 4:  # Module.to stumbles over tensors of five dimensions, such as Swin's
                value.data = value.data.contiguous(memory_format=torch.channels_last)
        if fused and isinstance(module, fx.GraphModule):
            module = onednn.fuse_convolutions(module, self._normalised(self._blank(CPU_FRAMES)))
        return module

    def _compared(self, network: Network, dtype: torch.dtype, compile: bool) -> nn.Module:
        """The fastest form of the network that says what it says as it came."""
        generator = torch.Generator().manual_seed(0)
        frames = torch.randint(256, self._blank(FRAMES).shape, dtype=torch.uint8, generator=generator)
        with torch.inference_mode():
            images = self._normalised(frames.to(self._device))
            exact = AsItCame(network.module, torch.float32).to(self._device)
            width_of(network.name, exact(images), FRAMES)
        candidates = [
            lambda: self._prepared(network, dtype, compile),
            lambda: AsItCame(network.module, dtype).to(self._device),
        ]
        return first_that_agrees(candidates, exact, images, dtype)

    def _blank(self, count: int) -> Tensor:
        size = (count, self._size.height, self._size.width, 3)
        return torch.zeros(size, dtype=torch.uint8, device=self._device)

    def _normalised(self, frames_BHWC: Tensor) -> Tensor:
        # The permuted view of contiguous frames is channels_last already: nothing is copied.
        images = frames_BHWC.permute(0, 3, 1, 2).float()
        if images.shape[2:] != (self._size.height, self._size.width):
            wanted = (self._size.height, self._size.width)
            images = functional.interpolate(images, wanted, mode="bilinear", antialias=True)
        return torch.addcmul(self._shift_C, images, self._scale_C)

    def _outputs(self, frames_BHWC: Tensor) -> Any:
        return self.module(self._normalised(frames_BHWC))

    def __call__(self, frames_BHWC: Tensor) -> Tensor:
        """Frames ``(B, H, W, 3)`` uint8, of any size, on its device, to features ``(B, F)`` float32."""
        outputs = self._forward(frames_BHWC)
        if self._describe is not None:
            outputs = self._describe([output.float() for output in outputs])
        features: Tensor = outputs.float()
        return features
