"""Any torchvision classification model by name, cut at its penultimate layer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from torch import nn
from torchvision import models

from vidlstm.backbones.contract import Family
from vidlstm.backbones.network import Network
from vidlstm.backbones.untrained import draw, settle
from vidlstm.backbones.weights import RANDOM, find_weights, load_into, sha256_of
from vidlstm.structures import FrameSize

if TYPE_CHECKING:
    from vidlstm.backbones.parts import Part
    from vidlstm.settings import BackboneSettings

IMAGENET_CLASSES = 1000
PUBLISHER = "PyTorch (torchvision's documentation, 'Models and pre-trained weights')"


class Torchvision(Family):
    """The classification models of the installed torchvision."""

    spelling = "a torchvision classifier (mobilenet_v2, resnet18, ...)"

    def names(self) -> list[str]:
        """Those that torchvision lists."""
        return _names()

    def build(self, part: Part, settings: BackboneSettings) -> Network:
        """Builds a classifier without its last layer; see :meth:`Family.build`."""
        return _build(part.name, part.weights, settings.download)


@cache
def _names() -> list[str]:
    return list(models.list_models(module=models))


def _build(name: str, weights: str | None, download: bool) -> Network:
    published = list(models.get_model_weights(name))
    model = draw(lambda: models.get_model(name, weights=None, **_extra_arguments(name)))
    head = cut_head(model)
    chosen = published[0]
    if weights != RANDOM:
        path = find_weights(name, weights, url=published[0].url, publisher=PUBLISHER, download=download)
        load_into(model, path, ignore=head | _auxiliary(path, name))
        digest, source = sha256_of(path), str(path)
        # Publishers put the hash's first digits in the file name, so a renamed file is still known.
        chosen = next((w for w in published if digest[:8] in w.url), published[0])
    preprocess: Any = chosen.transforms()
    side = int(preprocess.crop_size[0])
    if weights == RANDOM:
        digest, source = settle(model, side), RANDOM
    return Network(
        name=name,
        module=model,
        size=FrameSize(side, side),
        mean=tuple(preprocess.mean),
        std=tuple(preprocess.std),
        weights_sha256=digest,
        weights_source=source,
    )


def cut_head(model: nn.Module) -> frozenset[str]:
    """Replaces the layer that gives the class scores by the identity, in place.

    Returns:
        The names of the values that went with it, which a weights file will still hold.
    """
    for name, module in reversed(list(model.named_modules())):
        outputs = getattr(module, "out_features", None) or getattr(module, "out_channels", None)
        if isinstance(module, nn.Linear | nn.Conv2d) and outputs == IMAGENET_CLASSES:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, nn.Identity())
            return frozenset(f"{name}.{value}" for value, _ in module.named_parameters())
    raise AssertionError(f"{type(model).__name__} has no layer with {IMAGENET_CLASSES} outputs")


def _extra_arguments(name: str) -> dict[str, Any]:
    # These two train with auxiliary classifiers; their published weights expect the input re-scaled.
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "transform_input": True, "init_weights": True}
    return {}


def _auxiliary(path: Any, name: str) -> frozenset[str]:
    if name not in ("googlenet", "inception_v3"):
        return frozenset()
    from vidlstm.backbones.weights import read_state_dict

    return frozenset(k for k in read_state_dict(path) if k.lower().startswith("aux"))
