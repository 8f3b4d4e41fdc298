"""Several networks' features side by side: one classifier over all of them, or one for each and a vote.

Early fusion lets one recurrent network read everything; late fusion gives each network's features a
classifier of their own and averages what they say. It knows nothing of losses, files or frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from vidlstm.errors import nearest
from vidlstm.models.bags import BagClassifier, BagScores
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.trunk import FeatureNorm

if TYPE_CHECKING:
    from collections.abc import Sequence

FUSIONS = ("early", "late")


class LateFusion(nn.Module):
    """A classifier for each part of the features; their log-probabilities are averaged.

    Simonyan and Zisserman 2014, "Two-stream convolutional networks for action recognition in videos", but the
    mean is of logarithms: a stream that rules a class out is heard. Train every stream on a loss of its own
    (:func:`streams_of`): under that of the average, what one stream knows the others need not learn.

    Args:
        widths: of the parts, which stand one after another in the features.
        num_classes: K.
        settings: of every stream's :class:`SequenceClassifier`.
    """

    def __init__(self, widths: Sequence[int], num_classes: int, **settings: Any) -> None:
        super().__init__()
        self.widths = list(widths)
        streams = [SequenceClassifier(width, num_classes, **settings) for width in widths]
        self.read_sizes = [stream.read_size for stream in streams]
        self.streams = cast("list[SequenceClassifier]", nn.ModuleList(streams))  # which forgets their type

    def forward(self, x_BTF: Tensor, lengths_B: Tensor, truncate_steps: int = 0) -> Tensor:
        """Mean log-probabilities ``(B, K)``, which serve as logits; arguments as of the streams."""
        return self.scores_of(self.encoder_input(x_BTF, lengths_B), lengths_B, truncate_steps)

    def scores_of(self, read_BTE: Tensor, lengths_B: Tensor, truncate_steps: int = 0) -> Tensor:
        """Mean log-probabilities of what :meth:`encoder_input` gave."""
        parts = zip(self.streams, torch.split(read_BTE, self.read_sizes, dim=-1), strict=True)
        scores = [stream.scores_of(part, lengths_B, truncate_steps) for stream, part in parts]
        return torch.stack([s_BK.log_softmax(-1) for s_BK in scores]).mean(0)

    def encoder_input(self, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """What the streams' encoders read at every step, one after another, ``(B, T, sum of E)``."""
        parts = zip(self.streams, torch.split(x_BTF, self.widths, dim=-1), strict=True)
        return torch.cat([stream.encoder_input(part, lengths_B) for stream, part in parts], dim=-1)

    def fit_norm(self, mean_F: Tensor, std_F: Tensor) -> None:
        """Gives each stream its part of the statistics of the training features."""
        _fit_streams(self.streams, self.widths, mean_F, std_F)

    @property
    def norm(self) -> FeatureNorm:
        """The streams' normalisations as one over all features, to look at."""
        norms, joined = [stream.norm for stream in self.streams], FeatureNorm(0)
        joined.mean = torch.cat([norm.mean for norm in norms])
        joined.scale = torch.cat([norm.scale for norm in norms])
        return joined


class BagFusion(nn.Module):
    """A :class:`BagClassifier` for each part of the features; see :class:`LateFusion`.

    Args:
        widths, num_classes, settings: see :class:`LateFusion`.
    """

    def __init__(self, widths: Sequence[int], num_classes: int, **settings: Any) -> None:
        super().__init__()
        self.widths = list(widths)
        streams = [BagClassifier(SequenceClassifier(width, num_classes, **settings)) for width in widths]
        self.streams = cast("list[BagClassifier]", nn.ModuleList(streams))

    def forward(self, x_BTF: Tensor, lengths_B: Tensor, bag_B: Tensor, truncate_steps: int = 0) -> Tensor:
        """Mean log-probabilities of bags ``(G, K)``; arguments as of the streams."""
        return self.scores(x_BTF, lengths_B, bag_B, truncate_steps).bags_GK

    def scores(self, x_BTF: Tensor, lengths_B: Tensor, bag_B: Tensor, truncate_steps: int = 0) -> BagScores:
        """Mean log-probabilities of the bags and of each sequence, and the mean attention."""
        parts = zip(self.streams, torch.split(x_BTF, self.widths, dim=-1), strict=True)
        said = [stream.scores(part, lengths_B, bag_B, truncate_steps) for stream, part in parts]
        return BagScores(
            torch.stack([s.bags_GK.log_softmax(-1) for s in said]).mean(0),
            torch.stack([s.sequences_BK.log_softmax(-1) for s in said]).mean(0),
            torch.stack([s.attention_B for s in said]).mean(0),
        )

    def fit_norm(self, mean_F: Tensor, std_F: Tensor) -> None:
        """Gives each stream its part of the statistics of the training features."""
        _fit_streams(self.streams, self.widths, mean_F, std_F)


def _fit_streams(
    streams: Sequence[SequenceClassifier | BagClassifier],
    widths: list[int],
    mean_F: Tensor,
    std_F: Tensor,
) -> None:
    means, spreads = torch.split(mean_F, widths), torch.split(std_F, widths)
    for stream, mean, spread in zip(streams, means, spreads, strict=True):
        stream.fit_norm(mean, spread)


Classifier = SequenceClassifier | LateFusion
"""What a checkpoint of whole frames may hold."""
AnyClassifier = Classifier | BagClassifier | BagFusion
"""What an action checkpoint may hold."""


def why_not_causal(model: Any) -> str:
    """Why a classifier has no ``step``: empty, or which setting of the training stands against it."""
    if isinstance(model, LateFusion | BagFusion):
        return "its networks are joined after they have read a clip; train with `model.fusion early`"
    return str(model.why_not_causal())


class Stream(NamedTuple):
    """One recurrent network of a classifier, and what it reads.

    Attributes:
        prefix: of the names of what is said of it; nothing where there is only one.
        model: the network.
        x_BTF: its part of the features.
    """

    prefix: str
    model: Any
    x_BTF: Tensor


def streams_of(model: AnyClassifier, x_BTF: Tensor) -> list[Stream]:
    """The networks of a classifier one by one: the streams of a late fusion, else itself."""
    if not isinstance(model, LateFusion | BagFusion):
        return [Stream("", model, x_BTF)]
    parts = torch.split(x_BTF, model.widths, dim=-1)
    return [
        Stream(f"stream{number}.", stream, part)
        for number, (stream, part) in enumerate(zip(model.streams, parts, strict=True), start=1)
    ]


def build_classifier(
    widths: Sequence[int], num_classes: int, *, fusion: str = "early", **settings: Any
) -> Classifier:
    """A classifier of joined features; of those of a single network both fusions are the same.

    Args:
        widths: of each network's features.
        num_classes: K.
        fusion: a name in ``FUSIONS``.
        settings: of :class:`SequenceClassifier`.

    Raises:
        ValueError: the fusion is unknown.
    """
    if _is_late(fusion, widths):
        return LateFusion(widths, num_classes, **settings)
    return SequenceClassifier(sum(widths), num_classes, **settings)


def build_bag_classifier(
    widths: Sequence[int], num_classes: int, *, fusion: str = "early", **settings: Any
) -> BagClassifier | BagFusion:
    """The same for bags of sequences."""
    if _is_late(fusion, widths):
        return BagFusion(widths, num_classes, **settings)
    return BagClassifier(SequenceClassifier(sum(widths), num_classes, **settings))


def _is_late(fusion: str, widths: Sequence[int]) -> bool:
    if fusion not in FUSIONS:
        raise ValueError(f"no fusion is called {fusion!r}{nearest(fusion, FUSIONS)}")
    return fusion == "late" and len(widths) > 1
