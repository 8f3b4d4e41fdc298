"""The contract of a frozen backbone: uint8 frames in, one feature vector per frame out.

It never opens a video, and is never trained. A network file (``torchvision.py``, ...) supplies a
:class:`Network`; this module freezes it, casts it and runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from vidlstm.backbones import onednn
from vidlstm.backbones.precision import EXACT_BIAS_STEM_SHARE, STEM_SHARE, prepare

if TYPE_CHECKING:
    from vidlstm.structures import FrameSize

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
        module: normalised images ``(B, 3, H, W)`` to features ``(B, F)``.
        size: the frames it wants.
        mean, std: per channel, of images scaled to 0..1.
        weights_sha256: of the weights file, or ``random:`` and the hash of the drawn values.
        weights_source: where they came from, for people.
        view: what it is shown of a frame, one of ``structures.VIEWS``.
    """

    name: str
    module: nn.Module
    size: FrameSize
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights_sha256: str
    weights_source: str
    view: str = "picture"


class Backbone:
    """A frozen network, its preprocess, and a fingerprint of both.

    Args:
        network: what to run.
        dtype: a name in ``DTYPES``. The network itself is cast (see ``precision.py``): autocast would cast
            the weights anew on every call.
        device: where it runs.
        compile: run it through ``torch.compile``.
    """

    def __init__(
        self, network: Network, *, dtype: str, device: torch.device | str = "cpu", compile: bool = False
    ) -> None:
        self.name, self.size = network.name, network.size
        self.views = (network.view,)
        self.channels = 3 * len(self.views)
        self.weights_source = network.weights_source
        self.device, self.dtype = torch.device(device), DTYPES[dtype]
        self._on_cpu = self.device.type == "cpu"
        fused = self._on_cpu and not compile and onednn.is_available(self.dtype)
        share = EXACT_BIAS_STEM_SHARE if fused else STEM_SHARE
        module = prepare(network.module.eval().requires_grad_(False), self.dtype, stem_share=share)
        module = module.to(self.device).to(memory_format=torch.channels_last)
        # (x / 255 - mean) / std as one multiply and one add, in float32: pixels are rounded once.
        std = torch.tensor(network.std, device=self.device)
        self._scale_C = (1.0 / (255.0 * std))[:, None, None]
        self._shift_C = (-torch.tensor(network.mean, device=self.device) / std)[:, None, None]
        probe = torch.zeros(CPU_FRAMES, self.size.height, self.size.width, 3, dtype=torch.uint8)
        if fused and isinstance(module, fx.GraphModule):
            module = onednn.fuse_convolutions(module, self._normalised(probe))
        self._module = module.eval()
        self._forward = torch.compile(self._features) if compile else self._features
        with torch.inference_mode():
            self.feature_dim = int(self._features(probe[:1].to(self.device)).shape[1])
        self.spec: dict[str, Any] = {
            "backbone": network.name,
            "weights_sha256": network.weights_sha256,
            "dtype": dtype,
            "view": network.view,
            "frame": [self.size.height, self.size.width, self.size.fit],
            "mean": list(network.mean),
            "std": list(network.std),
            "feature_dim": self.feature_dim,
        }

    @property
    def is_random(self) -> bool:
        """Whether the weights were drawn, not trained."""
        return str(self.spec["weights_sha256"]).startswith("random:")

    def _normalised(self, frames_BHWC: Tensor) -> Tensor:
        # The permuted view of contiguous frames is channels_last already: nothing is copied.
        return torch.addcmul(self._shift_C, frames_BHWC.permute(0, 3, 1, 2).float(), self._scale_C)

    def _features(self, frames_BHWC: Tensor) -> Tensor:
        features: Tensor = self._module(self._normalised(frames_BHWC))
        return features.float()

    @torch.inference_mode()
    def __call__(self, frames_BHWC: Tensor) -> Tensor:
        """Features of a batch of frames.

        On a CPU more than ``CPU_FRAMES`` go through in parts of that many, the last padded, so that a frame
        gives the same features bit for bit wherever it stands and whatever the size of the batch; fewer go
        through as they are, and agree with that but for the last bits.

        Args:
            frames_BHWC: RGB uint8 ``(B, H, W, 3)`` of this backbone's ``size``, on any device.

        Returns:
            ``(B, F)`` float32 on the backbone's device.

        Raises:
            ValueError: the frames have another size or type.
        """
        expected = (self.size.height, self.size.width, 3)
        if frames_BHWC.dtype != torch.uint8 or tuple(frames_BHWC.shape[1:]) != expected:
            raise ValueError(
                f"{self.name} takes uint8 frames (B, {expected[0]}, {expected[1]}, 3), "
                f"not {frames_BHWC.dtype} {tuple(frames_BHWC.shape)}"
            )
        if self._on_cpu and len(frames_BHWC) > CPU_FRAMES:
            return self._in_parts(frames_BHWC)
        return self._forward(frames_BHWC.to(self.device, non_blocking=True))

    def rows_to_run(self, count: int, batch_size: int) -> int:
        """How much of a padded batch to run for its first ``count`` frames to come out as in a full one."""
        return min(batch_size, count + -count % CPU_FRAMES) if self._on_cpu else batch_size

    def _in_parts(self, frames_BHWC: Tensor) -> Tensor:
        # The kernels that are taken, and so the last bit of a feature, depend on the shape.
        short = -len(frames_BHWC) % CPU_FRAMES
        parts = list(torch.split(frames_BHWC, CPU_FRAMES))
        parts[-1] = functional.pad(parts[-1], (0, 0, 0, 0, 0, 0, 0, short))
        return torch.cat([self._forward(part) for part in parts])[: len(frames_BHWC)]


def best_dtype(device: torch.device) -> str:
    """bfloat16 where the processor multiplies it natively, else float32; the same answer on every call."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu" and _cpu_has_bfloat16():
        return "bfloat16"
    return "float32"


def _cpu_has_bfloat16() -> bool:
    # Absent on processors torch knows no such instructions for.
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, check, lambda: False)() for check in checks)
