"""The features are those of the network as its publisher runs it, in float32 and nearly so in bfloat16."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn
from torchvision import models

from tests.backbones.networks import MOBILENET, WIDTHS, build, drawn_frames, real_frames, untrained
from vidlstm.backbones import onednn
from vidlstm.backbones.base import Backbone
from vidlstm.backbones.build import build_network
from vidlstm.backbones.network import Network
from vidlstm.backbones.parts import Part
from vidlstm.backbones.precision import round_kernels
from vidlstm.settings import BackboneSettings
from vidlstm.structures import FrameSize


def network_of(name: str, weights: str | None) -> Network:
    return build_network(Part(name, weights=weights), BackboneSettings())


def normalised(frames: torch.Tensor, network: Network) -> torch.Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in (network.mean, network.std))
    return (frames.permute(0, 3, 1, 2) / 255.0 - mean) / std


@pytest.mark.parametrize("name", [*WIDTHS, "resnet18"])
def test_folding_and_fusing_change_nothing(name: str) -> None:
    network = network_of(name, "random")
    frames = drawn_frames(5)
    with torch.inference_mode():
        wanted = network.module(normalised(frames, network))
    backbone = untrained(name) if name in WIDTHS else Backbone(network, dtype="float32")
    torch.testing.assert_close(backbone(frames), wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


def test_widths_and_preprocess_are_torchvisions_own() -> None:
    network = network_of("efficientnet_b1", "random")
    preprocess = models.get_model_weights("efficientnet_b1").IMAGENET1K_V1.transforms()
    assert network.size == FrameSize(240, 240)
    assert [*network.mean] == preprocess.mean
    assert [*network.std] == preprocess.std


@pytest.mark.skipif(not MOBILENET.is_file(), reason="../shared is not there")
def test_features_are_those_under_torchvisions_own_classifier() -> None:
    model = models.mobilenet_v2().eval()
    model.load_state_dict(torch.load(MOBILENET, weights_only=True))
    frames = real_frames(6)
    backbone = build("mobilenet_v2", weights=str(MOBILENET), dtype="float32")
    images = frames.permute(0, 3, 1, 2) / 255.0
    preprocess = models.MobileNet_V2_Weights.IMAGENET1K_V1.transforms()
    images = (images - torch.tensor(preprocess.mean)[:, None, None]) / torch.tensor(preprocess.std)[
        :, None, None
    ]
    with torch.inference_mode():
        wanted = model.features(images).mean((2, 3))
        scores = model(images)
    features = backbone(frames)
    torch.testing.assert_close(features, wanted, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        torch.testing.assert_close(model.classifier(features.clone()), scores, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "fused"), [("mobilenet_v2", True), ("efficientnet_lite0", True), ("efficientnet_lite0", False)]
)
def test_bfloat16_agrees_with_float32_on_real_frames(
    name: str, fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "mobilenet_v2" and not MOBILENET.is_file():
        pytest.skip("../shared is not there")
    if not fused:
        monkeypatch.setattr(onednn, "is_available", lambda dtype: False)
    network = network_of(name, str(MOBILENET) if name == "mobilenet_v2" else None)
    frames = real_frames(4)
    exact, fast = (Backbone(network, dtype=dtype)(frames) for dtype in ("float32", "bfloat16"))
    similar = torch.cosine_similarity(exact, fast)
    assert similar.min() >= 0.999
    assert similar.mean() >= 0.9995


@pytest.mark.skipif(not onednn.is_available(torch.float32), reason="this torch has no such operators")
def test_convolutions_are_fused_with_their_activations() -> None:
    module = untrained("mobilenet_v3_small").parts[0].module
    assert isinstance(module, fx.GraphModule)
    used = [
        type(module.get_submodule(n.target)).__name__ for n in module.graph.nodes if n.op == "call_module"
    ]
    assert used.count("FusedConvolution") == 52
    assert not {*used} & {"Conv2d", "BatchNorm2d", "ReLU"}
    assert used.count("Hardswish") == 1, "the one after a linear layer"


def test_what_cannot_be_fused_is_left_as_it_is() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.twice = nn.Conv2d(3, 3, 3, padding=1)
            self.same = nn.Conv2d(3, 4, 3, padding="same")
            self.reflect = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
            self.shared = nn.Conv2d(4, 6, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            maps = self.reflect(self.same(self.twice(self.twice(images))))
            maps = self.shared(maps)  # two users: its activation must not be taken into it
            both: torch.Tensor = nn.functional.relu(maps) + maps
            return both.mean((2, 3))

    network = Network("odd", Odd().eval(), FrameSize(16, 16), (0.5,) * 3, (0.2,) * 3, "0", "drawn")
    frames = drawn_frames(6, side=32)[:, :16, :16].contiguous()
    with torch.inference_mode():
        wanted = network.module(normalised(frames, network))
    torch.testing.assert_close(Backbone(network, dtype="float32")(frames), wanted, rtol=1e-4, atol=1e-5)
    rough = Backbone(network, dtype="bfloat16")(frames)
    torch.testing.assert_close(rough, wanted, rtol=0.05, atol=0.05)


def test_weights_that_are_read_outside_their_layer_are_cast_where_they_are_used() -> None:
    class Scaled(nn.Module):
        """Its scale and norm, as those of a ConvNeXt, are used in the stem and after it."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.scale, self.norm = nn.Parameter(torch.rand(8)), nn.LayerNorm(8)

        def normed(self, maps: torch.Tensor) -> torch.Tensor:
            last = nn.functional.layer_norm(maps.movedim(1, -1), (8,), self.norm.weight, self.norm.bias)
            return (last * self.scale).movedim(-1, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            maps = self.normed(images.repeat(1, 3, 1, 1)[:, :8])
            return self.normed(self.second(maps + self.normed(self.first(images)))).mean((2, 3))

    network = Network("scaled", Scaled().eval(), FrameSize(16, 16), (0.5,) * 3, (0.2,) * 3, "0", "drawn")
    frames = drawn_frames(4, side=32)[:, :16, :16].contiguous()
    with torch.inference_mode():
        wanted = network.module(normalised(frames, network))
    backbone = Backbone(network, dtype="bfloat16")
    assert isinstance(backbone.parts[0].module, fx.GraphModule)
    torch.testing.assert_close(backbone(frames), wanted, rtol=0.05, atol=0.05)


def test_rounded_kernels_keep_their_sums() -> None:
    weight = torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    rounded, nearest = round_kernels(weight, torch.bfloat16), weight.bfloat16()
    assert rounded.dtype == torch.bfloat16

    def off(candidate: torch.Tensor) -> torch.Tensor:
        return (candidate.float() - weight).sum((2, 3)).abs()

    assert off(rounded).mean() < 0.1 * off(nearest).mean()
    assert (rounded.float() - weight).abs().max() < 0.02 * weight.abs().max(), "no tap moves far"
    points = torch.randn(5, 7, 1, 1)
    assert torch.equal(round_kernels(points, torch.bfloat16), points.bfloat16())
