"""timm's networks give here what they give by themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import fx, nn

from tests.backbones.networks import build, drawn_frames
from vidlstm.backbones import timm as family
from vidlstm.backbones.base import Backbone
from vidlstm.backbones.build import build_network
from vidlstm.backbones.parts import Part
from vidlstm.backbones.untouched import LOWEST_PRECISION, ROUNDINGS, AsItCame
from vidlstm.errors import SettingsError, WeightsError
from vidlstm.settings import BackboneSettings

timm = pytest.importorskip("timm")

SIDES = {
    "resnet18": 64,
    "convnext_atto": 64,
    "test_efficientnet": 64,  # a tiny one of timm's own
    "mobilenetv3_small_050": 64,
    "vit_tiny_patch16_224": 64,
    "vit_small_patch14_dinov2": 98,
    "swin_tiny_patch4_window7_224": 56,
    "mobilevit_xxs": 64,  # which torch.fx cannot trace
}
"""One network of each large family, and small frames for it."""


def with_head(name: str, **options: Any) -> nn.Module:
    """As its publisher has it: with a classifier, drawn at another seed than vidlstm's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model: nn.Module = timm.create_model(name, pretrained=False, **options).eval()
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.uniform_(norm.running_mean, -0.1, 0.1)
                nn.init.uniform_(norm.running_var, 0.8, 1.2)
    return model


def plain(model: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    config = timm.data.resolve_model_data_config(model)
    mean, std = (torch.tensor(config[key])[:, None, None] for key in ("mean", "std"))
    model.reset_classifier(0)
    with torch.inference_mode():
        features: torch.Tensor = model((frames.permute(0, 3, 1, 2) / 255.0 - mean) / std)
    return features


@pytest.mark.parametrize("name", SIDES)
def test_features_are_timms_own(name: str, tmp_path: Path) -> None:
    side = SIDES[name]
    options = {"img_size": side} if timm.get_pretrained_cfg(name).fixed_input_size else {}
    model = with_head(name, **options)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    part = Part(f"timm:{name}", weights=str(tmp_path / "w.safetensors"))
    network = build_network(part, BackboneSettings(size=side))
    frames = drawn_frames(5, side)
    exact, rough = (Backbone(network, dtype=dtype) for dtype in ("float32", "bfloat16"))
    wanted = plain(model, frames)
    torch.testing.assert_close(exact(frames), wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
    apart = (rough(frames) - wanted).norm() / wanted.norm()
    assert apart <= ROUNDINGS * LOWEST_PRECISION[torch.bfloat16]
    assert exact.spec["frame"] == [side, side, "squash"]
    traced = [isinstance(backbone.parts[0].module, fx.GraphModule) for backbone in (exact, rough)]
    assert traced == [name != "mobilevit_xxs"] * 2


def test_size_and_preprocess_are_those_of_timms_data_config() -> None:
    spec = build("timm:mobilevit_xxs", weights="random").spec
    assert (spec["frame"], spec["mean"], spec["std"]) == ([256, 256, "squash"], [0.0] * 3, [1.0] * 3)
    assert spec["weights_sha256"].startswith("random:")
    small = build("timm:vit_tiny_patch16_224", weights="random", size=32)
    assert small.spec["mean"] == [0.5] * 3
    assert small.size.height == 32


def test_a_file_of_another_size_or_without_a_classifier_is_taken(tmp_path: Path) -> None:
    for number, options in enumerate([{}, {"num_classes": 0}, {"num_classes": 7}, {"img_size": 96}]):
        file = tmp_path / f"{number}.pth"
        torch.save({"state_dict": with_head("test_vit", **options).state_dict()}, file)
        backbone = build("timm:test_vit", weights=str(file), size=64)
        assert backbone.feature_dim == 64


def test_the_file_of_another_network_is_refused(tmp_path: Path) -> None:
    model = with_head("resnet18")
    torch.save(model.state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth does not fit timm:mobilenetv3_small_050"):
        build("timm:mobilenetv3_small_050", weights=str(tmp_path / "w.pth"))
    state = model.state_dict()
    del state["layer1.0.conv1.weight"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match=r"part\.pth does not fit timm:resnet18: (.|\n)*layer1\.0\.conv1"):
        build("timm:resnet18", weights=str(tmp_path / "part.pth"))
    torch.save(
        {**model.state_dict(), "conv1.weight": torch.full((64, 3, 7, 7), torch.nan)}, tmp_path / "nan.pth"
    )
    with pytest.raises(WeightsError, match=r"conv1\.weight holds infinite values"):
        build("timm:resnet18", weights=str(tmp_path / "nan.pth"))


def test_a_size_that_does_not_suit_is_told() -> None:
    with pytest.raises(SettingsError, match=r"`backbone\.size` 8 does not suit timm:vit_tiny_patch16_224"):
        build("timm:vit_tiny_patch16_224", weights="random", size=8)


@pytest.mark.parametrize(
    "name",
    ["resnet18.nope", "resnet_18", "hf_hub:timm/resnet18", "hf-hub:a/b", "local-dir:/tmp", "../resnet18", ""],
)
def test_only_names_of_timms_own_list_are_known(name: str) -> None:
    with pytest.raises(SettingsError, match="no backbone is called 'timm:"):
        build(f"timm:{name}", weights="random")
    with pytest.raises(SettingsError, match="did you mean 'timm:convnext_atto'"):
        build("convnext_ato")


def test_nothing_is_downloaded_unless_allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    asked: list[Any] = []

    def fetch(*place: str) -> str:
        asked.append(place)
        save_file(with_head("test_resnet").state_dict(), tmp_path / "model.safetensors")
        return str(tmp_path / "model.safetensors")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *place: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    with pytest.raises(WeightsError, match=r"no weights for timm:test_resnet: .*`backbone\.download true`"):
        build("timm:test_resnet", size=64)
    assert asked == []
    fetched = build("timm:test_resnet", size=64, download=True)
    assert asked == [("timm/test_resnet.r160_in1k", "model.safetensors")]
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *place: fetched.weights_source)
    assert build("timm:test_resnet", size=64).spec == fetched.spec

    def fail(*place: str) -> str:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *place: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(WeightsError, match=r"failed: no route; fetch it elsewhere"):
        build("timm:test_resnet", size=64, download=True)


def test_without_the_extra_the_pip_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    family._names.cache_clear()
    try:
        with pytest.raises(WeightsError, match=r"needs the timm extra: pip install 'vidlstm\[timm\]'"):
            build("timm:resnet18", weights="random")
    finally:
        family._names.cache_clear()


def test_batch_norms_with_an_activation_inside_are_folded() -> None:
    backbone = build("timm:mobilenetv3_small_050", weights="random", size=64, dtype="float32")
    module = backbone.parts[0].module
    assert not isinstance(module, AsItCame)
    assert not any("norm" in type(child).__name__.lower() for child in module.modules())
