"""Which frames a decision rests on: integrated gradients over time, and a check by deleting those frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vidlstm.errors import SettingsError
from vidlstm.inference.windows import window_batches

if TYPE_CHECKING:
    from vidlstm.models.fusion import Classifier
    from vidlstm.structures import FeatureSequence

PATH_POINTS = (64, 256, 1024)
"""Points on the straight line from the baseline to the input: more while a sum is off by ``CLOSE``."""
CLOSE = 0.02
AT_ONCE = 512
"""Sequences in one forward pass."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each step adds to the probability of its window's class.

    Attributes:
        class_W: the likeliest class of each window.
        by_step_WL: float32; steps beyond a window's own length are zero. A row sums to the probability minus
            that of a window in which every frame is the mean training frame.
        largest_gap: the most by which a row misses that sum, because the integral is a sum of points.
    """

    class_W: np.ndarray
    by_step_WL: np.ndarray
    largest_gap: float


def integrated_gradients() -> Any:
    """Captum's class.

    Raises:
        SettingsError: captum is not installed.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise SettingsError(
            "integrated gradients need the inspect extra: pip install 'vidlstm[inspect]' "
            "(or leave them out: `attribution false`)"
        ) from error
    return IntegratedGradients


def attribute(model: Classifier, sequence: FeatureSequence, rows: list[tuple[int, int]]) -> Attribution:
    """Integrated gradients of each window's likeliest class, summed over what the encoder reads at a step.

    Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks", by captum. The baseline is the
    mean training frame at every step: to the classifier, a window in which nothing is special. The line from
    there to the window is drawn behind the projection: in front of it, its layer norm would bring a window
    that is one hundredth of the way up to its full size, and all of the integral would lie in that hundredth.

    Args:
        model: in eval mode, on the CPU.
        sequence: the features of one video.
        rows: the windows, at least one.

    Raises:
        SettingsError: captum is not installed.
    """
    method = integrated_gradients()(
        lambda read_BTE, lengths_B: model.scores_of(read_BTE, lengths_B).softmax(-1)
    )
    longest = max(last - first for first, last in rows)
    by_step_WL, gap = np.zeros((len(rows), longest), np.float32), 0.0
    class_W: list[int] = []
    for batch in window_batches(sequence, rows):
        with torch.no_grad():
            read_BTE = model.encoder_input(batch.x_BTF, batch.lengths_B)
            nothing_BTE = model.encoder_input(model.norm.mean.expand(batch.x_BTF.shape), batch.lengths_B)
            class_B = model.scores_of(read_BTE, batch.lengths_B).argmax(-1)
        for points in PATH_POINTS:
            parts_BTE, gap_B = method.attribute(
                read_BTE,
                baselines=nothing_BTE,
                target=class_B,
                additional_forward_args=batch.lengths_B,
                n_steps=points,
                internal_batch_size=AT_ONCE,
                return_convergence_delta=True,
            )
            if float(gap_B.abs().max()) <= CLOSE:
                break
        at = len(class_W)
        by_step_WL[at : at + len(batch), : read_BTE.shape[1]] = parts_BTE.sum(-1).detach().numpy()
        class_W += class_B.tolist()
        gap = max(gap, float(gap_B.abs().max()))
    return Attribution(np.array(class_W), by_step_WL, gap)


@dataclass(frozen=True)
class DeletionCheck:
    """Mean probability of the windows' classes with all frames, and with a share of them deleted.

    Attributes:
        share: of the frames of each window.
        whole: nothing deleted.
        without_most: without the most attributed frames.
        without_random: without as many drawn at random, the mean over several draws.
    """

    share: float
    whole: float
    without_most: float
    without_random: float


def check_by_deletion(
    model: Classifier,
    sequence: FeatureSequence,
    rows: list[tuple[int, int]],
    attribution: Attribution,
    *,
    share: float = 0.25,
    draws: int = 20,
    seed: int = 0,
) -> DeletionCheck:
    """Deletes frames, the window getting shorter, and asks the classifier again.

    Args:
        model, sequence, rows: as given to :func:`attribute`.
        attribution: what it gave.
        share: of the frames of each window, at least one and not all.
        draws: at random.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    windows = [torch.from_numpy(sequence.features[first:last]).float() for first, last in rows]
    counts = [min(max(1, round(share * len(x))), len(x) - 1) for x in windows]

    def mean_probability(dropped: list[np.ndarray]) -> float:
        kept = [x[np.setdiff1d(np.arange(len(x)), gone)] for x, gone in zip(windows, dropped, strict=True)]
        return float(class_probabilities(model, kept, attribution.class_W).mean())

    by_step = attribution.by_step_WL
    most = [
        np.argsort(-by_step[w, : len(x)])[:n] for w, (x, n) in enumerate(zip(windows, counts, strict=True))
    ]
    random = [
        mean_probability([rng.permutation(len(x))[:n] for x, n in zip(windows, counts, strict=True)])
        for _ in range(draws)
    ]
    nothing = [np.empty(0, int)] * len(windows)
    return DeletionCheck(share, mean_probability(nothing), mean_probability(most), float(np.mean(random)))


@torch.inference_mode()
def class_probabilities(model: Classifier, sequences: list[Tensor], class_W: np.ndarray) -> np.ndarray:
    """The probability ``(W,)`` of one class of each sequence ``(T, F)``."""
    parts = []
    for first in range(0, len(sequences), AT_ONCE):
        some = sequences[first : first + AT_ONCE]
        lengths_B = torch.tensor([len(x) for x in some])
        p_BK = model(pad_sequence(some, batch_first=True), lengths_B).double().softmax(-1)
        chosen_B = torch.from_numpy(class_W[first : first + AT_ONCE])
        parts.append(p_BK.gather(1, chosen_B[:, None])[:, 0].numpy())
    return np.concatenate(parts)
