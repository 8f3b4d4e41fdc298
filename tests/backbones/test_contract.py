"""What every backbone promises."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from tests.backbones.networks import (
    JOINED_WIDTHS,
    PLUGIN_WIDTHS,
    TIMM_WIDTHS,
    WIDTHS,
    YOLO_WIDTHS,
    apart,
    build,
    drawn,
    drawn_frames,
    outputs,
    roundoff,
    untrained,
)
from vidlstm.backbones.base import Backbone
from vidlstm.backbones.families import FAMILIES
from vidlstm.errors import SettingsError

ALL_WIDTHS = {**WIDTHS, **YOLO_WIDTHS, **JOINED_WIDTHS, **TIMM_WIDTHS, **PLUGIN_WIDTHS}
ALL = pytest.mark.parametrize("name", ALL_WIDTHS)
PLAIN = pytest.mark.parametrize("name", WIDTHS)
ALONE = [name for name in ALL_WIDTHS if "+" not in name]
IN_EITHER = pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, "float32") for name in ALL_WIDTHS), *((name, "bfloat16") for name in ALONE)],
)
"""Networks side by side are those that stand alone; that they are joined is seen in one number format."""


def frames_for(name: str, count: int, dtype: str = "float32", *, seed: int = 0) -> torch.Tensor:
    return drawn_frames(count, untrained(name, dtype).size.height, seed=seed)


@IN_EITHER
def test_it_is_frozen(name: str, dtype: str) -> None:
    backbone = untrained(name, dtype)
    for part in backbone.parts:
        assert not any(module.training for module in part.module.modules())
        assert not any(parameter.requires_grad for parameter in part.module.parameters())
    assert not backbone(frames_for(name, 1, dtype)).requires_grad


@IN_EITHER
def test_its_width_is_what_it_gives(name: str, dtype: str) -> None:
    backbone = untrained(name, dtype)
    features = backbone(frames_for(name, 3, dtype))
    assert features.shape == (3, ALL_WIDTHS[name])
    assert features.dtype == torch.float32
    assert backbone.feature_dim == backbone.spec["feature_dim"] == ALL_WIDTHS[name]


@IN_EITHER
def test_a_frame_gives_the_same_features_wherever_it_stands(name: str, dtype: str) -> None:
    """In the first or the second of the parts that a batch goes through in, in any place of it."""
    backbone, frames = untrained(name, dtype), frames_for(name, 6, dtype)
    wanted, order = backbone(frames), torch.randperm(6)
    assert torch.equal(backbone(frames[order]), wanted[order])
    assert torch.equal(backbone(frames[:5]), wanted[:5])
    others = frames_for(name, 3, dtype, seed=1)
    mixed = torch.cat([others[:2], frames[:5], others[2:]])
    assert torch.equal(backbone(mixed)[2:7], wanted[:5])


@IN_EITHER
def test_a_frame_alone_agrees_with_one_among_others(name: str, dtype: str) -> None:
    frames = frames_for(name, 4, dtype)
    for part in untrained(name, dtype).parts:
        alone = zip(*(outputs(part, frame[None]) for frame in frames), strict=True)
        assert apart([torch.cat(values) for values in alone], outputs(part, frames)) <= roundoff(part, dtype)


@ALL
def test_part_of_a_padded_batch_is_enough(name: str) -> None:
    backbone, batch = untrained(name), frames_for(name, 10)
    batch[9] = 0
    whole = backbone(batch)
    needed = {count: backbone.rows_to_run(count, len(batch)) for count in (1, 3, 4, 5, 8, 9)}
    found = {rows: backbone(batch[:rows]) for rows in {*needed.values()}}
    for count, rows in needed.items():
        assert count <= rows <= len(batch)
        assert torch.equal(found[rows][:count], whole[:count])


@ALL
def test_frames_of_another_size_or_type_are_refused(name: str) -> None:
    side = untrained(name).size.height
    takes = re.escape(f"{name} takes uint8 frames (B, {side}, {side}, 3), not ")
    with pytest.raises(ValueError, match=takes + ".*100"):
        untrained(name)(drawn_frames(1, side=100))
    with pytest.raises(ValueError, match="float32"):
        untrained(name)(frames_for(name, 1).float())


@PLAIN
def test_the_spec_knows_what_changes_the_features(name: str) -> None:
    plain = untrained(name).spec
    rough = Backbone(drawn(name, None), dtype="bfloat16")
    assert rough.spec == {**plain, "dtype": "bfloat16", "frame": [224, 224, "squash"]}
    cropped = build(name, weights="random", dtype="float32", fit="crop")
    assert cropped.spec == {**plain, "frame": [224, 224, "crop"]}
    again = build(name, weights="random", dtype="float32")
    assert again.spec == plain
    assert torch.equal(again(drawn_frames(4)), untrained(name)(drawn_frames(4)))


@PLAIN
def test_one_that_is_shown_motion_is_another_backbone(name: str) -> None:
    plain = untrained(name)
    moved = build(f"{name}:motion", weights="random", dtype="float32")
    assert (moved.views, moved.channels, plain.views) == (("motion",), 3, ("picture",))
    assert moved.spec == {**plain.spec, "backbone": f"{name}:motion", "view": "motion"}
    assert torch.equal(moved(drawn_frames(4)), plain(drawn_frames(4)))
    with pytest.raises(SettingsError, match=f"no backbone is called '{name}:emotion'"):
        build(f"{name}:emotion", weights="random")


@PLAIN
def test_untrained_weights_are_marked_and_drawn_apart_from_the_callers_seed(name: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    backbone = build(name, weights="random", dtype="float32")
    assert torch.equal(torch.get_rng_state(), before)
    assert backbone.is_random
    assert backbone.spec["weights_sha256"].startswith("random:")
    assert backbone.weights_source == "random"


@ALL
def test_untrained_features_survive_float16_and_tell_frames_apart(name: str) -> None:
    features = untrained(name)(frames_for(name, 8)).half()
    assert features.isfinite().all()
    assert 1e-3 < features.float().abs().max() < 1e4
    assert (features[:4] - features[4:]).float().abs().max() > 1e-3


def test_memory_layout_of_the_frames_does_not_matter() -> None:
    backbone, frames = untrained("squeezenet1_1"), drawn_frames(8)
    strided = frames.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert not strided.is_contiguous()
    torch.testing.assert_close(backbone(strided), backbone(frames))


def test_the_number_of_threads_does_not_matter() -> None:
    frames, before, features = drawn_frames(8), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            features.append(untrained("mobilenet_v3_small")(frames))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(features[1], features[0])
    torch.testing.assert_close(features[2], features[0])


def test_names_and_number_formats_are_checked() -> None:
    with pytest.raises(SettingsError, match="did you mean 'mobilenet_v2'"):
        build("mobilenetv2", weights="random")
    with pytest.raises(SettingsError, match="float32"):
        build("squeezenet1_1", weights="random", dtype="float23")
    known = {name for family in FAMILIES.values() for name in family.names()}
    assert {"mobilenet_v2", "resnet50", "vit_b_16", "efficientnet_lite0", "yolo:pose"} <= known


def test_a_name_that_is_near_none_is_told_how_names_look() -> None:
    with pytest.raises(
        SettingsError, match=r"it may be a torchvision classifier .*package\.module:function"
    ) as error:
        build("xxxxxxxxxxxx")
    assert len(str(error.value)) < 400


def test_a_network_that_cannot_be_traced_still_works() -> None:
    from vidlstm.backbones.precision import prepare

    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = self.layer(images).mean((2, 3))
            return features if features.sum() > 0 else -features

    images = torch.randn(2, 3, 8, 8)
    module = Stubborn().eval()
    wanted = module(images)
    torch.testing.assert_close(prepare(module, torch.float32)(images), wanted)
    torch.testing.assert_close(prepare(module, torch.bfloat16)(images).float(), wanted, rtol=0.05, atol=0.02)
