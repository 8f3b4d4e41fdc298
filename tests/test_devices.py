"""A device is taken by its name, or said not to be there."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from vidlstm.devices import devices_here, resolve_device
from vidlstm.errors import SettingsError


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: request.param)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param > 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize("gpus", [0], indirect=True)
def test_without_a_gpu(gpus: None) -> None:
    assert resolve_device(None) == resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")
    for absent in ("cuda", "cuda:1", "mps", torch.device("cuda", 0)):
        with pytest.raises(SettingsError, match=r"`device` .* is not on this machine, which has cpu$"):
            resolve_device(absent)


@pytest.mark.parametrize("gpus", [2], indirect=True)
def test_with_two_gpus(gpus: None) -> None:
    assert devices_here() == ["cpu", "cuda:0", "cuda:1"]
    assert resolve_device(None) == resolve_device("auto") == torch.device("cuda")
    for name in ("cpu", "cuda", "cuda:0", "cuda:1"):
        assert resolve_device(name) == torch.device(name)
    with pytest.raises(SettingsError, match=r"cuda:2 is not on this machine, which has cpu, cuda:0, cuda:1"):
        resolve_device("cuda:2")


@pytest.mark.parametrize(
    ("text", "hint"), [("cdua", "did you mean 'cuda'"), ("gpu", "did you mean 'cpu'"), ("", "allowed: ")]
)
def test_a_misspelt_one_is_told(text: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=f"`device` {text!r} is unknown; {hint}"):
        resolve_device(text)


@pytest.mark.parametrize("text", ["cuda:", "cuda:x", "cuda:-1", "cpu:7"])
def test_a_wrong_number_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="is not on this machine"):
        resolve_device(text)


def test_importing_it_loads_no_torch() -> None:
    code = "import sys, vidlstm.devices; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
