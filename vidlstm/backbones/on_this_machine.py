"""Which files of weights are on this machine, and which backbone each is for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torchvision import models

from vidlstm.backbones.efficientnet_lite import NAME as EFFICIENTNET
from vidlstm.backbones.efficientnet_lite import PACKAGED_SHA256, packaged_file
from vidlstm.backbones.weights import sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = (".pth", ".pt", ".safetensors")
OTHER = "not known by its bytes; perhaps your own"


@dataclass(frozen=True)
class WeightsFile:
    """A file that may hold weights.

    Attributes:
        path: where it is.
        sha256: of its bytes, in hex.
        backbone: the ``backbone.name`` that it is for, or what is not known of it.
    """

    path: Path
    sha256: str
    backbone: str


def places() -> list[Path]:
    """The folders that are looked in: the present one, torch hub's cache, and an installed package's."""
    packaged = packaged_file()
    found = [Path.cwd(), Path(torch.hub.get_dir()) / "checkpoints"]
    return found if packaged is None else [*found, packaged.parent]


def weights_in(folders: Sequence[Path]) -> list[WeightsFile]:
    """The files of weights in folders, not in the folders below them; each once."""
    files = {
        file.resolve(): file
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if file.suffix in SUFFIXES and file.is_file()
    }
    return [_described(file) for file in files.values()]


def _described(file: Path) -> WeightsFile:
    try:
        digest = sha256_of(file)
    except OSError as error:
        return WeightsFile(file, "", f"cannot be read: {error.strerror}")
    return WeightsFile(file, digest, backbone_of(file.name, digest))


def backbone_of(name: str, digest: str) -> str:
    """What a file is for: by its bytes where its publisher says their hash, else by its name.

    Args:
        name: of the file.
        digest: SHA-256 of its bytes.
    """
    if digest.startswith(PACKAGED_SHA256):
        return EFFICIENTNET
    if digest[:8] in _published():
        return _published()[digest[:8]]
    if name.startswith("yolo") and name.endswith(".pt"):
        kinds = "yolo:pose, yolo:joints" if "pose" in name else "yolo:objects, yolo:embed"
        return f"{kinds} (by its name)"
    return OTHER


@cache
def _published() -> dict[str, str]:
    """The first digits of the hash in the name of each of torchvision's files, to the name of the network."""
    return {
        weights.url.rsplit("-", 1)[-1].split(".")[0]: name
        for name in models.list_models(module=models)
        for weights in models.get_model_weights(name)
    }
