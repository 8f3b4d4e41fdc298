"""The contract of a frozen backbone: uint8 frames in, one feature vector per frame out.

It never opens a video, and is never trained. A network file (``torchvision.py``, ...) supplies a
:class:`Network`; ``network.py`` freezes, casts and runs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from vidlstm.backbones.network import CPU_FRAMES, DTYPES, FrozenNetwork, Network
from vidlstm.backbones.parts import joined
from vidlstm.devices import memory_bytes, resolve_device
from vidlstm.errors import SettingsError, nearest

USUAL_BATCH, LARGEST_BATCH = 32, 512

BYTES_A_PIXEL = 512
"""Of a picture on a GPU: what goes into a float32 layer of 64 channels at full size, and what comes out. Few
networks have one (VGG does), and those in bfloat16 or with a stride in front need less."""

if TYPE_CHECKING:
    from torch import nn

    from vidlstm.structures import FrameSize


class Backbone:
    """One frozen network or several side by side, their preprocess, and a fingerprint of both.

    Several see the same frames: decoded once, at the size of the largest, and brought to the size of the
    others here. Their features stand one after another.

    Attributes:
        name: those of the networks, joined by ``+``.
        parts: the networks as they are run.
        size: the frames it takes.
        views: what it is shown of a frame, without repetition; see ``structures.VIEWS``.
        channels: three for each view.
        feature_dim: F, the sum of ``part_dims``.
        part_dims: the widths of each network's features.
        spec: all that changes the features.

    Args:
        networks: what to run.
        dtype: a name in ``DTYPES``, or ``auto``; see :func:`number_format`.
        device: where it runs; see ``devices.resolve_device``.
        compile: run it through ``torch.compile``.

    Raises:
        SettingsError: the dtype or the device is unknown, or a network does not give ``(B, F)``.
    """

    def __init__(
        self, *networks: Network, dtype: str, device: torch.device | str | None = "cpu", compile: bool = False
    ) -> None:
        self.device = resolve_device(device)
        dtype = number_format(dtype, self.device)
        self.dtype = DTYPES[dtype]
        self._on_cpu = self.device.type == "cpu"
        self._small: bool | None = None
        self.parts = [FrozenNetwork(n, dtype=dtype, device=self.device, compile=compile) for n in networks]
        self.name = joined(n.name for n in networks)
        self.views = tuple(dict.fromkeys(n.view for n in networks))
        self.channels = 3 * len(self.views)
        self._shown = [self.views.index(n.view) for n in networks]
        self.size = max((n.size for n in networks), key=lambda size: size.height * size.width)
        self.weights_source = joined(n.weights_source for n in networks)
        self.part_dims = [part.feature_dim for part in self.parts]
        self.feature_dim = sum(self.part_dims)
        self.spec = self.parts[0].spec if len(networks) == 1 else self._joined_spec(dtype)

    @classmethod
    def of(
        cls,
        module: nn.Module,
        *,
        dtype: str = "auto",
        device: torch.device | str | None = None,
        compile: bool = False,
        **how: Any,
    ) -> Backbone:
        """Any frozen ``nn.Module`` as a backbone.

        ::

            Backbone.of(my_network, size=224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

        Args:
            module: normalised images ``(B, 3, H, W)`` to features ``(B, F)``.
            dtype, device, compile: see the class; by default what is fastest here.
            how: ``size``, and as wanted ``mean``, ``std``, ``fit``, ``name``, ``view``; see
                :meth:`Network.of`.

        Raises:
            SettingsError: see the class.
            ValueError: see :meth:`Network.of`; or the name is that of a backbone of vidlstm.
        """
        from vidlstm.backbones.families import refuse_taken  # not all networks before one is wanted

        if how.get("name") is not None:
            refuse_taken(str(how["name"]))
        return cls(Network.of(module, **how), dtype=dtype, device=device, compile=compile)

    def _joined_spec(self, dtype: str) -> dict[str, Any]:
        specs = [part.spec for part in self.parts]
        return {
            "backbone": self.name,
            "weights_sha256": joined(str(spec["weights_sha256"]) for spec in specs),
            "dtype": dtype,
            "frame": [self.size.height, self.size.width, self.size.fit],
            "feature_dim": self.feature_dim,
            "parts": specs,
        }

    @property
    def is_random(self) -> bool:
        """Whether the weights, or some of them, were drawn, not trained."""
        return any(str(part.spec["weights_sha256"]).startswith("random:") for part in self.parts)

    def _features(self, frames_BHWC: Tensor) -> Tensor:
        shown = torch.split(frames_BHWC, 3, dim=-1)
        return torch.cat([p(shown[i]) for p, i in zip(self.parts, self._shown, strict=True)], dim=1)

    @torch.inference_mode()
    def __call__(self, frames_BHWC: Tensor) -> Tensor:
        """Features of a batch of frames.

        On a CPU more than ``CPU_FRAMES`` go through in parts of that many, the last padded, so that a frame
        gives the same features bit for bit wherever it stands and whatever the size of the batch; fewer go
        through as they are, and agree with that but for the last bits.

        Args:
            frames_BHWC: RGB uint8 ``(B, H, W, channels)`` of this backbone's ``size``, on any device; its
                ``views`` one after another.

        Returns:
            ``(B, F)`` float32 on the backbone's device.

        Raises:
            ValueError: the frames have another size or type.
        """
        expected = (self.size.height, self.size.width, self.channels)
        if frames_BHWC.dtype != torch.uint8 or tuple(frames_BHWC.shape[1:]) != expected:
            raise ValueError(
                f"{self.name} takes uint8 frames (B, {expected[0]}, {expected[1]}, {expected[2]}), "
                f"not {frames_BHWC.dtype} {tuple(frames_BHWC.shape)}"
            )
        if self._on_cpu and len(frames_BHWC) > CPU_FRAMES:
            return self._in_parts(frames_BHWC)
        return self._features(frames_BHWC.to(self.device, non_blocking=True))

    def frames_at_once(self, asked: int = 0) -> int:
        """Frames per forward pass: as many as are asked for, and for 0 what suits the device.

        That is ``USUAL_BATCH``, and on a CUDA GPU :func:`batch_that_fits`.
        """
        memory = None if asked else memory_bytes(self.device)
        return asked or (USUAL_BATCH if memory is None else batch_that_fits(self.size, memory))

    def rows_to_run(self, count: int, batch_size: int) -> int:
        """How much of a padded batch to run for its first ``count`` frames to come out as in a full one."""
        if self._small and count < CPU_FRAMES:
            return count
        return min(batch_size, count + -count % CPU_FRAMES) if self._on_cpu else batch_size

    @torch.inference_mode()
    def allow_small_batches(self) -> None:
        """Lets few frames run without padding where this processor gives the same features bit for bit.

        It does where it takes the same kernels; asked once, on frames of noise, in the calling thread.
        """
        if self._small is not None or not self._on_cpu:
            return
        shape = (CPU_FRAMES, self.size.height, self.size.width, self.channels)
        generator = torch.Generator().manual_seed(0)
        frames = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
        full = self._features(frames)
        self._small = all(torch.equal(self._features(frames[:n]), full[:n]) for n in range(1, CPU_FRAMES))

    def _in_parts(self, frames_BHWC: Tensor) -> Tensor:
        # The kernels that are taken, and so the last bit of a feature, depend on the shape.
        short = -len(frames_BHWC) % CPU_FRAMES
        parts = list(torch.split(frames_BHWC, CPU_FRAMES))
        parts[-1] = functional.pad(parts[-1], (0, 0, 0, 0, 0, 0, 0, short))
        return torch.cat([self._features(part) for part in parts])[: len(frames_BHWC)]


def batch_that_fits(size: FrameSize, memory: int) -> int:
    """The largest power of two, up to ``LARGEST_BATCH``, of which half of a GPU's memory is enough.

    The other half is for weights, workspaces and other programs. At 224x224 pixels 16 GB take 256 frames,
    and 40 GB take 512.

    Args:
        size: of the frames.
        memory: of the GPU, in bytes.
    """
    frames = memory // 2 // (BYTES_A_PIXEL * size.height * size.width)
    return min(LARGEST_BATCH, 1 << max(0, frames.bit_length() - 1))


def number_format(dtype: str, device: torch.device) -> str:
    """A name in ``DTYPES``: ``dtype`` itself, or for ``auto`` what the device is fastest at.

    Raises:
        SettingsError: there is none of this name.
    """
    if dtype == "auto":
        return best_dtype(device)
    if dtype not in DTYPES:
        raise SettingsError(f"`backbone.dtype` {dtype!r} is unknown{nearest(dtype, ['auto', *DTYPES])}")
    return dtype


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
