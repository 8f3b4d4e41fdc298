"""The backbone of a checkpoint is built from its spec, and a spec cannot make anything be imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.backbones.networks import PLUGIN, build, yolo_file
from tests.backbones.plugin import Tiny, tiny
from vidlstm.backbones import plugins
from vidlstm.backbones.base import Backbone
from vidlstm.backbones.restore import backbone_of_spec
from vidlstm.errors import SettingsError, WeightsError
from vidlstm.settings import BackboneSettings


@pytest.fixture(autouse=True)
def nothing_is_registered() -> Iterator[None]:
    before = dict(plugins.FACTORIES)
    plugins.FACTORIES.clear()
    yield
    plugins.FACTORIES.clear()
    plugins.FACTORIES.update(before)


def restored(trained: Backbone, **settings: Any) -> Backbone:
    return backbone_of_spec(
        trained.spec,
        weights_source=settings.pop("weights_source", trained.weights_source),
        settings=BackboneSettings(**settings),
        device="cpu",
    )


def test_name_dtype_fit_and_size_are_those_of_the_training() -> None:
    file = yolo_file("yolo:embed")
    options = {"weights": f"{file}+random", "dtype": "float32", "fit": "crop", "size": 64}
    trained = build("yolo:embed+squeezenet1_1:motion", **options)
    again = restored(trained, name="resnet18", dtype="bfloat16", fit="squash", size=96)
    assert again.spec == trained.spec
    moved = restored(trained, weights=f"{file}+", weights_source="/gone/yolo.pt+random")
    assert moved.spec == trained.spec


def test_each_network_keeps_its_own_size() -> None:
    files = [yolo_file("yolo:embed"), yolo_file("yolo:pose")]
    trained = build("yolo:embed+yolo:pose", weights="+".join(map(str, files)), size=64, dtype="float32")
    assert restored(trained).spec == trained.spec


def test_the_file_that_is_missing_is_named_with_its_hash() -> None:
    trained = build("yolo:embed", weights=str(yolo_file("yolo:embed")), dtype="float32")
    digest = trained.spec["weights_sha256"]
    for source in ("/gone/to/detect.pt", r"C:\gone\detect.pt"):
        with pytest.raises(
            WeightsError, match=f"yolo:embed was trained on with the file 'detect.pt' of SHA-256 {digest}"
        ):
            restored(trained, weights_source=source)
    with pytest.raises(WeightsError, match=rf"SHA-256 {digest}"):
        restored(trained, weights="/elsewhere/detect.pt")


def test_other_weights_are_told_side_by_side() -> None:
    trained = build("yolo:embed", weights=str(yolo_file("yolo:embed")), dtype="float32")
    other = yolo_file("yolo:embed", 1)
    with pytest.raises(
        WeightsError, match=r"not the one .*trained on(.|\n)*weights_sha256  wanted (.|\n)*found"
    ):
        restored(trained, weights=str(other))
    with pytest.raises(SettingsError, match="joins 2 networks"):
        restored(build("squeezenet1_1+squeezenet1_1:motion", weights="random+random"), weights="a+b+c")


def test_a_backbone_that_the_caller_brings_is_compared() -> None:
    mine = Backbone.of(Tiny(), size=64, dtype="float32", device="cpu")
    settings = BackboneSettings(weights="what+ever")
    assert backbone_of_spec(mine.spec, weights_source="", settings=settings, given=mine) is mine
    other = Backbone.of(Tiny(), size=64, dtype="float32", device="cpu")
    with pytest.raises(WeightsError, match="not the one the checkpoint was trained on"):
        backbone_of_spec(mine.spec, weights_source="", settings=settings, given=other)
    with pytest.raises(
        WeightsError, match="trained on 'Tiny', which is neither built in nor registered here"
    ):
        backbone_of_spec(mine.spec, weights_source="", settings=settings, device="cpu")


def hostile(name: str) -> dict[str, Any]:
    return {"backbone": name, "weights_sha256": "random:0", "dtype": "float32", "frame": [64, 64, "squash"]}


HOSTILE = [
    "evil:net",
    "evil:net:motion",
    "squeezenet1_1+evil:net",
    "os:system",
    "evil",
    "timm:hf_hub:evil/net",
]


@pytest.mark.parametrize("name", [*HOSTILE, "timm:local-dir:evil", "../evil:net"])
def test_a_name_in_a_file_imports_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("from pathlib import Path\nPath('mark').touch()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = hostile(name)
    if "+" in name:
        spec["parts"] = [hostile(part) for part in name.split("+")]
    if "timm" in name:
        pytest.importorskip("timm")
    called = list(plugins.FACTORIES)
    with pytest.raises(WeightsError, match=r"never imported.*`backbone\.name "):
        backbone_of_spec(spec, weights_source="", settings=BackboneSettings(), device="cpu")
    assert not (tmp_path / "mark").exists()
    assert "evil" not in sys.modules
    assert list(plugins.FACTORIES) == called


def test_what_the_user_names_is_imported_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = build(PLUGIN, weights="random", dtype="float32")
    plugins.FACTORIES.clear()
    with pytest.raises(WeightsError, match=rf"`backbone\.name {PLUGIN}`$"):
        restored(trained)
    assert restored(trained, name=PLUGIN).spec == trained.spec
    assert restored(trained).spec == trained.spec, "loaded by the user before"
    with pytest.raises(WeightsError, match="trained on 'evil:net'"):
        backbone_of_spec(
            hostile("evil:net"), weights_source="", settings=BackboneSettings(name=PLUGIN), device="cpu"
        )


def test_code_from_outside_gets_no_file_that_only_the_checkpoint_names(tmp_path: Path) -> None:
    # Not the weights that are drawn at the fixed seed, or nobody could tell which were taken.
    torch.save({name: value + 1 for name, value in Tiny().state_dict().items()}, tmp_path / "w.pt")
    trained = build(PLUGIN, weights=str(tmp_path / "w.pt"), dtype="float32")
    given: list[str | None] = []
    plugins.FACTORIES[PLUGIN] = lambda weights: given.append(weights) or tiny(weights)
    with pytest.raises(WeightsError, match=r"the file 'w\.pt' of SHA-256"):
        restored(trained)
    assert restored(trained, weights=str(tmp_path / "w.pt")).spec == trained.spec
    assert given == [None, str(tmp_path / "w.pt")]


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": None},
        {"backbone": 3},
        {"frame": None},
        {"frame": [64]},
        {"frame": ["x", 64, "squash"]},
        {"frame": [64, 64, "stretch"]},
        {"frame": [64, 64, []]},
        {"dtype": "float16"},
        {"dtype": []},
        {"weights_sha256": None, "backbone": "a+b"},
        {"parts": [1, 2]},
        {"parts": []},
        {"parts": 7},
    ],
)
def test_a_damaged_spec_is_told(change: dict[str, Any]) -> None:
    with pytest.raises(WeightsError):
        backbone_of_spec(
            {**hostile("squeezenet1_1"), **change},
            weights_source="",
            settings=BackboneSettings(),
            device="cpu",
        )
    with pytest.raises(WeightsError):
        backbone_of_spec({}, weights_source="\0", settings=BackboneSettings(), device="cpu")


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "+".join(["squeezenet1_1"] * 100_000)},
        {"frame": [10**9, 10**9, "squash"]},
        {"frame": [0, 0, "squash"]},
        {"frame": [float("inf"), 3, "squash"]},
        {"frame": "large"},
    ],
    ids=["networks", "large", "none", "infinite", "word"],
)
def test_a_spec_cannot_ask_for_more_than_backbones_are(change: dict[str, Any]) -> None:
    spec = {"backbone": "timm:resnet18", "weights_sha256": "random:0", "dtype": "float32"}
    spec |= {"frame": [64, 64, "squash"], **change}
    with pytest.raises(WeightsError, match="backbone is damaged"):
        backbone_of_spec(spec, weights_source="", settings=BackboneSettings(), device="cpu")
