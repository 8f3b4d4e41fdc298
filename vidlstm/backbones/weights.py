"""Finding a backbone's weights without ever guessing: file, torch hub's cache, package, download."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidlstm.errors import WeightsError, torch_reason

if TYPE_CHECKING:
    from torch import nn

RANDOM = "random"


def find_weights(
    name: str,
    weights: str | None,
    *,
    url: str | None = None,
    packaged: Path | None = None,
    package_hint: str = "none offers this network",
    publisher: str = "",
    download: bool = False,
) -> Path:
    """The weights file to use, in a fixed order.

    Args:
        name: of the backbone, for the message.
        weights: the file the user named, or None.
        url: where the publisher keeps the file; its last part is its name in torch hub's cache.
        packaged: the file that an installed package carries, or None.
        package_hint: which package would carry it, for the message.
        publisher: who offers the file and where that is told, for the message.
        download: whether a download is allowed.

    Raises:
        WeightsError: none of the four has it; the message lists all four. Or the cached file was changed,
            or the download failed.
    """
    if weights is not None:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise WeightsError(f"`backbone.weights` {weights}: no such file")
        return path
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1] if url else None
    if cached is not None and cached.is_file():
        return _unchanged(cached)
    if packaged is not None and packaged.is_file():
        return packaged
    if download and url is not None and cached is not None:
        return _downloaded(url, cached)
    raise WeightsError(
        f"no weights for {name}. Looked for:\n"
        "  1. `backbone.weights FILE`: not given\n"
        f"  2. torch hub's cache: {cached if cached else 'the publisher names no file'}"
        f"{' is not there' if cached else ''}\n"
        f"  3. an installed package: {package_hint}\n"
        f"  4. a download: {_download_hint(url)}\n"
        f"{_published(url, publisher)}{_at_hand(name, url)}"
        "`vidlstm weights` lists the files on this machine. "
        "Untrained weights must be asked for: `backbone.weights random`"
    )


def _unchanged(cached: Path) -> Path:
    prefix = _hash_in(cached.name)
    if prefix and not sha256_of(cached).startswith(prefix):
        raise WeightsError(f"{cached} is not the file its name says (SHA-256); delete it and fetch it again")
    return cached


def _downloaded(url: str, cached: Path) -> Path:
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(cached), hash_prefix=_hash_in(cached.name), progress=True)
    except (OSError, RuntimeError) as error:  # no network, no room, or not the bytes its name promises
        raise WeightsError(
            f"downloading {url} failed: {error}; fetch it elsewhere and give it as `backbone.weights FILE`"
        ) from error
    return cached


def _download_hint(url: str | None) -> str:
    if url is None:
        return "nowhere to download from"
    return f"not allowed; `backbone.download true` fetches {url.rsplit('/', 1)[-1]}"


def _published(url: str | None, publisher: str) -> str:
    if url is None or not publisher:
        return ""
    file = url.rsplit("/", 1)[-1]
    prefix = _hash_in(file)
    return f"{file} is published by {publisher}{f'; its SHA-256 begins with {prefix}' if prefix else ''}.\n"


def _at_hand(name: str, url: str | None) -> str:
    """What would work here: the file in the present folder, and a network whose weights are installed."""
    from vidlstm.backbones.efficientnet_lite import NAME, packaged_file

    file = Path(url.rsplit("/", 1)[-1]) if url else None
    here = f"{file} is in this folder: give `backbone.weights {file}`.\n" if file and file.is_file() else ""
    if name == NAME or packaged_file() is None:
        return here
    return f"{here}{NAME} is installed with its weights: `backbone.name {NAME}`.\n"


def _hash_in(filename: str) -> str | None:
    """The hash prefix in a name such as ``mobilenet_v2-b0353104.pth``."""
    stem = filename.rsplit(".", 1)[0]
    prefix = stem.rsplit("-", 1)[-1]
    return prefix if len(prefix) == 8 and all(c in "0123456789abcdef" for c in prefix) else None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_parameters(module: nn.Module) -> str:
    """SHA-256 over names, shapes and values of a module's state, in a fixed order."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_into(module: nn.Module, path: Path, *, ignore: frozenset[str] = frozenset()) -> None:
    """Loads a weights file strictly, without running code from it.

    Args:
        module: takes the weights.
        path: a ``.pth`` state dict or a ``.safetensors`` file.
        ignore: names the file may hold beyond the module's own, such as the cut-off classifier.

    Raises:
        WeightsError: the file is not a plain state dict, does not fit, or holds what is not a number.
    """
    state = {k: v for k, v in read_state_dict(path).items() if k not in ignore}
    check_finite(state, path)
    try:
        missing, unexpected = module.load_state_dict(state, strict=False)
    except RuntimeError as error:  # shapes differ
        raise WeightsError(f"{path} does not fit this network: {error}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise WeightsError(
            f"{path} does not fit this network: {len(missing)} values missing {missing[:3]}, "
            f"{len(unexpected)} not known {unexpected[:3]}; is it the file of another network?"
        )


def check_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Looks for what is not a number. Activations swallow it: the features would look like any others.

    Raises:
        WeightsError: there is some.
    """
    broken = [k for k, v in state.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())]
    if broken:
        raise WeightsError(f"{path} is damaged: {broken[0]} holds infinite values or none at all (nan)")


def read_state_dict(path: Path) -> Mapping[str, Tensor]:
    """Reads names and tensors from a ``.pth`` or ``.safetensors`` file without running code from it."""
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} is not a safetensors file: {error}") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch's reader stumble in many ways
        raise WeightsError(
            f"{path} is not a plain file of weights (it is damaged, or would run code): {torch_reason(error)}"
        ) from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    ):
        raise WeightsError(
            f"{path} holds no dict of tensors; save it with torch.save(model.state_dict(), ...)"
        )
    return state
