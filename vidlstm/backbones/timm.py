"""``timm:NAME``: any image network of Ross Wightman's timm that gives one vector a picture.

The features are timm's own with ``num_classes=0``: what its classifier would take. Mean, deviation and size
are from timm's data config; how a frame is brought to that size is ``--backbone.fit``, as for all networks.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vidlstm.backbones.contract import Family
from vidlstm.backbones.network import Network
from vidlstm.backbones.untrained import draw, settle
from vidlstm.backbones.weights import RANDOM, check_finite, find_weights, read_state_dict, sha256_of
from vidlstm.errors import SettingsError, WeightsError
from vidlstm.structures import FrameSize

if TYPE_CHECKING:
    from vidlstm.backbones.parts import Part
    from vidlstm.settings import BackboneSettings

PREFIX = "timm:"
PIP_LINE = "pip install 'vidlstm[timm]'"
NAME = re.compile(r"\w+(\.[\w-]+)?")
"""A model and the tag of its weights. Nothing else: timm itself also reads names of folders and of hubs."""


class Timm(Family):
    """The networks of the installed timm."""

    spelling = "timm:NAME (timm:convnext_atto, timm:vit_small_patch14_dinov2, ...)"
    takes_size = True

    def names(self) -> list[str]:
        """Those of timm; none where it is not installed."""
        return _names()

    def knows(self, name: str) -> bool:
        """Whether the name begins with ``timm:``; :meth:`build` says whether timm has it."""
        return name.startswith(PREFIX) and (not _names() or _is_model(name.removeprefix(PREFIX)))

    def build(self, part: Part, settings: BackboneSettings) -> Network:
        """Builds a network without its classifier; see :meth:`Family.build`.

        Raises:
            SettingsError: the size does not suit it.
            WeightsError: the extra is not installed.
        """
        if not _names():
            raise WeightsError(f"{part.name} needs the timm extra: {PIP_LINE}")
        name = part.name.removeprefix(PREFIX)
        options = _size_options(name, settings.size)
        if part.weights == RANDOM:
            model, digest, source = _created(name, num_classes=0, **options), "", RANDOM
        else:
            path = _weights_file(name, part.weights, settings.download)
            model, digest, source = _loaded(name, path, **options), sha256_of(path), str(path)
        return _network(part.name, model.eval(), digest, source, settings.size)


@cache
def _names() -> list[str]:
    try:
        import timm
    except ImportError:
        return []
    return [PREFIX + name for name in timm.list_models()]


def _is_model(name: str) -> bool:
    import timm

    if not NAME.fullmatch(name) or not timm.is_model(name):
        return False
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:  # no weights of this tag
        return False
    return True


def _config(name: str) -> Any:
    import timm

    return timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()


def _size_options(name: str, size: int | None) -> dict[str, int]:
    # The others take pictures of any size as they are.
    return {"img_size": size} if size is not None and _config(name).fixed_input_size else {}


def _created(name: str, **options: Any) -> nn.Module:
    import timm

    model: nn.Module = draw(lambda: timm.create_model(name, **options))
    return model


def _loaded(name: str, path: Path, **options: Any) -> nn.Module:
    """A network with the weights of a file, which timm brings to the names and the size of this network.

    It is built with as many classes as the file holds, because only then does timm ask that all fits.
    """
    state, failed = dict(read_state_dict(path)), ""
    check_finite(state, path)
    for classes in _classes(_config(name), state):
        overlay = {"state_dict": dict(state), "num_classes": classes}
        try:
            model: Any = _created(
                name, pretrained=True, num_classes=classes, pretrained_cfg_overlay=overlay, **options
            )
        except (RuntimeError, KeyError) as error:
            failed = str(error)
            continue
        model.pretrained_cfg.pop("state_dict")
        model.reset_classifier(0)
        return model  # type: ignore[no-any-return]
    raise WeightsError(f"{path} does not fit {PREFIX}{name}: {failed}; is it the file of another network?")


def _classes(config: Any, state: dict[str, Tensor]) -> list[int]:
    heads = [config.classifier] if isinstance(config.classifier, str) else config.classifier or []
    found = [len(state[f"{head}.weight"]) for head in heads if f"{head}.weight" in state]
    return found[:1] or list(dict.fromkeys([0, config.num_classes]))


def _weights_file(name: str, weights: str | None, download: bool) -> Path:
    """The file given, or that of timm in its cache, or downloaded there if that is allowed."""
    config = _config(name)
    if weights is not None or not config.hf_hub_id:
        return find_weights(PREFIX + name, weights, url=config.url, download=download)
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    place = config.hf_hub_id, config.hf_hub_filename or "model.safetensors"
    cached = try_to_load_from_cache(*place)
    if isinstance(cached, str):
        return Path(cached)
    if not download:
        raise WeightsError(
            f"no weights for {PREFIX}{name}: `backbone.weights FILE` is not given, {place[1]} of {place[0]} "
            "is not in timm's cache, and downloading is not allowed (`backbone.download true`). "
            "Untrained weights must be asked for: `backbone.weights random`"
        )
    try:
        return Path(hf_hub_download(*place))
    except Exception as error:  # no network, no room, not there any more: each in a class of its own
        raise WeightsError(
            f"downloading {place[1]} of {place[0]} failed: {error}; fetch it elsewhere and give it as "
            "`backbone.weights FILE`"
        ) from error


def _network(name: str, model: nn.Module, digest: str, source: str, size: int | None) -> Network:
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(model)
    height, width = (size, size) if size is not None else config["input_size"][1:]
    if size is not None:
        _check_size(name, model, size)
    if source == RANDOM:
        digest = settle(model, height)
    use_plain_norms(model)
    return Network(
        name=name,
        module=model,
        size=FrameSize(height, width),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        weights_sha256=digest,
        weights_source=source,
        foreign=True,
    )


def _check_size(name: str, model: nn.Module, size: int) -> None:
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise SettingsError(f"`backbone.size` {size} does not suit {name}: {error}") from error


def use_plain_norms(model: nn.Module) -> None:
    """Splits timm's batch norms with an activation inside, in place, so that both can be folded and fused."""
    from timm.layers import BatchNormAct2d

    for name, norm in list(model.named_modules()):
        if type(norm) is BatchNormAct2d and norm.affine and norm.track_running_stats:
            plain = nn.BatchNorm2d(norm.num_features, norm.eps)
            plain.load_state_dict(norm.state_dict(), strict=False)
            model.set_submodule(name, nn.Sequential(plain, norm.act).eval())
