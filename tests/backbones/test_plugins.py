"""Networks from outside the package become backbones by a call, a decorator, an entry point or a path."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.backbones.networks import PLUGIN, build, drawn_frames
from tests.backbones.plugin import Tiny, tiny
from vidlstm.backbones import plugins
from vidlstm.backbones.base import Backbone
from vidlstm.backbones.families import register_backbone
from vidlstm.errors import SettingsError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nothing_stays_registered() -> Iterator[None]:
    before = dict(plugins.FACTORIES)
    yield
    plugins.FACTORIES.clear()
    plugins.FACTORIES.update(before)


def of(module: nn.Module, **how: Any) -> Backbone:
    return Backbone.of(module, **{"size": 64, "dtype": "float32", "device": "cpu", **how})


def test_any_module_is_a_backbone() -> None:
    module = Tiny().train()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    backbone = of(module, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
    assert module.training
    assert all(p.requires_grad for p in module.parameters())
    frames = drawn_frames(6, 64)
    images = frames.permute(0, 3, 1, 2) / 255.0
    images = (images - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor([0.2, 0.3, 0.25])[
        :, None, None
    ]
    with torch.no_grad():
        wanted = module.eval()(images)
    torch.testing.assert_close(backbone(frames), wanted, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert (backbone.name, backbone.feature_dim, backbone.is_random) == ("Tiny", 24, False)
    assert of(module, size=(48, 80)).size.width == 80


def test_its_fingerprint_is_that_of_its_weights_and_what_was_said_of_it() -> None:
    module = Tiny()
    spec = of(module).spec
    assert of(module).spec == spec
    for how in (
        {"name": "other"},
        {"std": (0.5, 0.5, 0.5)},
        {"fit": "crop"},
        {"view": "motion"},
        {"size": 65},
    ):
        assert of(module, **how).spec != spec
    with torch.no_grad():
        module.rest.bias[0] += 1e-3
    assert of(module).spec["weights_sha256"] != spec["weights_sha256"]

    class Tinier(Tiny):
        pass

    twin = Tinier()
    twin.load_state_dict(module.state_dict())
    assert of(twin, name="Tiny").spec != of(module).spec


class Gives(nn.Module):
    def __init__(self, what: Any) -> None:
        super().__init__()
        self.layer, self.what = nn.Conv2d(3, 4, 3), what

    def forward(self, images: torch.Tensor) -> Any:
        return self.what(self.layer(images))


@pytest.mark.parametrize(
    ("what", "given"),
    [
        (lambda maps: maps, r"\(2, 4, 62, 62\)"),
        (lambda maps: maps.flatten(2), r"\(2, 4, 3844\)"),
        (lambda maps: maps.mean((0, 2, 3)), r"\(4,\)"),
        (lambda maps: maps.mean((0, 2, 3))[None], r"\(1, 4\)"),
        (lambda maps: {"features": maps}, "dict"),
    ],
)
def test_what_is_no_vector_for_each_frame_is_refused(what: Any, given: str) -> None:
    with pytest.raises(SettingsError, match=rf"Gives gives {given} for 2 frames; .* \(2, F\): pool maps"):
        of(Gives(what))


@pytest.mark.parametrize(
    "how",
    [
        {"std": (0.1, 0.0, 0.1)},
        {"mean": (0.5,)},
        {"fit": "stretch"},
        {"size": 0},
        {"name": "a+b"},
        {"name": ""},
    ],
)
def test_what_cannot_be_is_a_value_error(how: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        of(Tiny(), **how)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_network_whose_trace_says_something_else_is_run_as_it_came(dtype: str) -> None:
    class TwoFaced(Tiny):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features = super().forward(images)
            return features.square() if isinstance(images, torch.Tensor) else features

    class Float32Inside(Tiny):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) @ torch.eye(24)

    for module in (TwoFaced(), Float32Inside()):
        module.eval()
        frames = drawn_frames(3, 64)
        with torch.no_grad():
            wanted = module(frames.permute(0, 3, 1, 2) / 255.0)
        apart = (of(module, dtype=dtype)(frames) - wanted).norm() / wanted.norm()
        assert apart < (1e-5 if dtype == "float32" else 16 * 2**-8)


def test_a_registered_one_is_built_by_its_name() -> None:
    register_backbone("mine")(tiny)
    backbone = build("mine+squeezenet1_1:motion+mine:motion", weights="random+random+random", dtype="float32")
    assert backbone.views == ("picture", "motion")
    assert [p["backbone"] for p in backbone.spec["parts"]] == ["mine", "squeezenet1_1:motion", "mine:motion"]
    assert {p["frame"][2] for p in backbone.spec["parts"]} == {"squash"}
    assert backbone.is_random
    assert build("mine", dtype="float32").spec["frame"] == [64, 64, "crop"], "its own fit, where it is alone"
    assert build("mine", fit="letterbox").spec["frame"] == [64, 64, "letterbox"]


def test_its_function_gets_the_weights_and_draws_the_same_ones_each_time(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (build(PLUGIN, weights="random", dtype="float32") for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.spec == second.spec
    torch.save(Tiny().state_dict(), tmp_path / "w.pt")
    loaded = build(PLUGIN, weights=str(tmp_path / "w.pt"), dtype="float32")
    assert loaded.weights_source == str(tmp_path / "w.pt")
    assert not loaded.is_random
    assert loaded.spec["weights_sha256"] not in first.spec["weights_sha256"]


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "efficientnet_lite0", "a+b", "yolo:pose", "a:motion", "", "timm:x"]
)
def test_a_name_that_is_taken_or_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        register_backbone(name)(tiny)


def test_a_name_belongs_to_one_function() -> None:
    register_backbone("mine")(tiny)
    register_backbone("mine")(tiny)  # a module that is loaded anew
    with pytest.raises(ValueError, match=r"tests\.backbones\.plugin\.tiny is called 'mine' already"):
        register_backbone("mine")(lambda weights: tiny(weights))
    with pytest.raises(SettingsError, match="did you mean 'mine'"):
        build("mne")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tests.backbones.plugin:none", "has no attribute 'none'"),
        ("tests.backbones.nowhere:net", "No module named 'tests.backbones.nowhere'"),
        ("tests.backbones.plugin:number", "is no function"),
        ("tests.backbones.plugin:wrong", r"gives Tiny; a backbone's function returns Network\.of"),
        ("tests/backbones/plugin.py:tiny", "no backbone is called"),
        ("timm:no_such_network", "no backbone is called"),
    ],
)
def test_what_is_not_there_is_told(name: str, reason: str) -> None:
    if name.startswith("timm"):
        pytest.importorskip("timm")
    with pytest.raises(SettingsError, match=reason):
        build(name)


MINE = """
import sys
from vidlstm.backbones.network import Network
from tests.backbones.plugin import Tiny
print("imported", __name__)
def net(weights):
    return Network.of(Tiny(), size=64)
"""
PROGRAM = """
import sys
from vidlstm.backbones.build import build_backbone
from vidlstm.settings import BackboneSettings
from vidlstm.errors import SettingsError
for name in sys.argv[1:]:
    try:
        print(build_backbone(BackboneSettings(name=name, dtype="float32"), device="cpu").spec["backbone"])
    except SettingsError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a process of its own says, as Lightning starts one for each GPU with the same command line.

    In its folder lie ``my.nets`` and a module called as one of Python's own; elsewhere a distribution.
    """
    work, place = (tmp_path_factory.mktemp(name) for name in ("work", "place"))
    (work / "my").mkdir()
    (work / "my" / "nets.py").write_text(MINE)
    (work / "json.py").write_text("raise SystemExit('a module of Python itself is covered up')")
    (place / "their_nets.py").write_text(MINE)
    information = place / "their_nets-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their-nets\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[vidlstm.backbones]\ntheirs = their_nets:net\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    path = os.pathsep.join([str(ROOT), str(place), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, "my.nets:net", "thers", "theirs", "their_nets:net"],
        cwd=work,
        env={**kept, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_module_in_the_current_folder_is_found_after_what_is_installed(found: list[str]) -> None:
    assert found[:2] == ["imported my.nets", "my.nets:net"]


def test_an_installed_distribution_offers_one_and_is_imported_only_when_asked(found: list[str]) -> None:
    misspelt, *rest = found[2:]
    assert "did you mean 'theirs'?" in misspelt
    assert rest == ["imported their_nets", "theirs", "their_nets:net"]


class Fixed(nn.Module):
    """Gives the same for every frame."""

    def __init__(self, value: float, width: int) -> None:
        super().__init__()
        self.value, self.width = value, width

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), self.width), self.value)


@pytest.mark.parametrize(
    ("module", "how", "words"),
    [
        (Fixed(float("nan"), 3), {}, r"nan"),
        (Fixed(float("inf"), 3), {}, r"infinite"),
        (Fixed(0.0, 0), {}, r"gives \(2, 0\)"),
        (Fixed(1.0, 3), {"std": (1.0, float("nan"), 1.0)}, "std must be finite"),
        (Fixed(1.0, 3), {"mean": (float("inf"), 0.0, 0.0)}, "mean must be finite"),
        (Fixed(1.0, 3), {"mean": 0.5}, "mean is three numbers"),
        (Fixed(1.0, 3), {"std": (1.0, 1.0)}, "std is three numbers"),
        (Fixed(1.0, 3), {"name": "yolo:embed"}, "is called 'yolo:embed' already"),
        (Fixed(1.0, 3), {"name": "mobilenet_v2"}, "is called 'mobilenet_v2' already"),
    ],
)
def test_what_can_be_no_backbone_is_refused(module: nn.Module, how: dict[str, Any], words: str) -> None:
    with pytest.raises((SettingsError, ValueError), match=words):
        of(module, **how)


@pytest.mark.parametrize("failure", [RuntimeError("no such layer"), KeyError("w"), OSError(5, "broken")])
def test_a_function_that_fails_is_told_in_a_sentence(failure: Exception) -> None:
    @register_backbone("failing")
    def failing(weights: str | None) -> Any:
        raise failure

    with pytest.raises(SettingsError, match=f"failing fails with {type(failure).__name__}") as error:
        build("failing", weights="w.pth")
    assert "'w.pth'" in str(error.value) and error.value.setting == "backbone.name"


def test_a_module_that_cannot_be_imported_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_net.py").write_text("def net(:\n")
    with pytest.raises(SettingsError, match="broken_net cannot be imported: SyntaxError"):
        build("broken_net:net")
