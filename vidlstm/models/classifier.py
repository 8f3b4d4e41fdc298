"""Features of a clip to class scores: normalise, difference, project, recur, pool, classify.

The shape is that of the CNN + LSTM of Donahue et al. 2015, "Long-term recurrent convolutional networks",
with the CNN outside. It knows nothing of losses, files or frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from vidlstm.models.cells import valid_steps
from vidlstm.models.pooling import LastPooling, build_pooling
from vidlstm.models.recurrent import RecurrentEncoder
from vidlstm.models.stacks import single_step
from vidlstm.models.truncation import run_truncated

if TYPE_CHECKING:
    from vidlstm.models.cells import State


class ClassifierState(NamedTuple):
    """What a causal classifier carries from step to step.

    Attributes:
        before_BF: the normalised features of the step before; NaN where there was none.
        encoder: of the recurrent layers, parts of ``(L, B, D)``.
    """

    before_BF: Tensor
    encoder: State


class FeatureNorm(nn.Module):
    """Subtracts the training set's mean and divides by its spread, per feature.

    Args:
        size: F.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def fit(self, mean_F: Tensor, std_F: Tensor) -> None:
        """Takes the statistics of the training features; a feature that never changes is left unscaled."""
        self.mean.copy_(mean_F)
        self.scale.copy_(torch.where(std_F > 1e-4, 1.0 / std_F.clamp_min(1e-4), torch.ones_like(std_F)))

    def forward(self, x_BTF: Tensor) -> Tensor:
        """Normalises ``(B, T, F)``."""
        return (x_BTF - self.mean) * self.scale


class SequenceClassifier(nn.Module):
    """A recurrent classifier over feature sequences.

    >>> classifier = SequenceClassifier(feature_dim=1280, num_classes=7)
    >>> classifier(torch.zeros(2, 30, 1280), torch.tensor([30, 18])).shape
    torch.Size([2, 7])

    Args:
        feature_dim: F, the width of the stored features.
        num_classes: K, how many there are to tell apart.
        cell, hidden_size, num_layers, bidirectional: of the encoder.
        projection: width of a linear layer (with layer norm and ReLU) before the encoder; 0 for none.
        dropout: between layers and before the classifier.
        input_dropout: on the normalised features; a feature is dropped for the whole clip at once.
        frame_difference: append x_t - x_{t-1} to each step, zero at the first.
        absolute_difference: append ``|x_t - x_{t-1}|``, feature by feature. Forth and back cancel in a mean
            of differences and add up here.
        pooling: a name in ``POOLINGS``.
        forget_bias, orthogonal: how the encoder starts; see :class:`RecurrentEncoder`.

    Attributes:
        settings: these arguments by name.
    """

    def __init__(
        self,
        feature_dim: int,
        num_classes: int,
        *,
        cell: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 2,
        bidirectional: bool = True,
        projection: int = 128,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
        frame_difference: bool = False,
        absolute_difference: bool = False,
        pooling: str = "mean",
        forget_bias: float | None = None,
        orthogonal: bool = False,
    ) -> None:
        super().__init__()
        self.settings = {
            "feature_dim": feature_dim,
            "num_classes": num_classes,
            "cell": cell,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "bidirectional": bidirectional,
            "projection": projection,
            "dropout": dropout,
            "input_dropout": input_dropout,
            "frame_difference": frame_difference,
            "absolute_difference": absolute_difference,
            "pooling": pooling,
            "forget_bias": forget_bias,
            "orthogonal": orthogonal,
        }
        self.norm = FeatureNorm(feature_dim)
        self.input_dropout = nn.Dropout1d(input_dropout)
        self.frame_difference, self.absolute_difference = frame_difference, absolute_difference
        width = feature_dim * (1 + frame_difference + absolute_difference)
        self.project = (
            nn.Sequential(
                nn.Linear(width, projection), nn.LayerNorm(projection), nn.ReLU(), nn.Dropout(dropout)
            )
            if projection
            else nn.Identity()
        )
        self.read_size = projection or width
        self.encoder = RecurrentEncoder(
            self.read_size,
            hidden_size,
            num_layers=num_layers,
            cell=cell,
            bidirectional=bidirectional,
            dropout=dropout,
            forget_bias=forget_bias,
            orthogonal=orthogonal,
        )
        self.pooling = build_pooling(pooling, self.encoder.output_size, bidirectional=bidirectional)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.encoder.output_size, num_classes))

    def fit_norm(self, mean_F: Tensor, std_F: Tensor) -> None:
        """Takes the statistics of the training features."""
        self.norm.fit(mean_F, std_F)

    def forward(self, x_BTF: Tensor, lengths_B: Tensor | None = None, truncate_steps: int = 0) -> Tensor:
        """Class scores (logits) ``(B, K)`` of padded features ``(B, T, F)`` with ``lengths (B,)``.

        Args:
            x_BTF: the clips.
            lengths_B: valid steps of each, at least 1; None where all T are valid.
            truncate_steps: cut the gradient at every so many steps; see :func:`run_truncated`. 0 never does.
        """
        if lengths_B is None:
            lengths_B = torch.full((len(x_BTF),), x_BTF.shape[1], device=x_BTF.device)
        return self.scores_of(self.encoder_input(x_BTF, lengths_B), lengths_B, truncate_steps)

    def scores_of(self, read_BTE: Tensor, lengths_B: Tensor, truncate_steps: int = 0) -> Tensor:
        """Class scores of what :meth:`encoder_input` gave."""
        scores_BK: Tensor = self.head(self._pooled(read_BTE, lengths_B, truncate_steps))
        return scores_BK

    def pooled(self, x_BTF: Tensor, lengths_B: Tensor, truncate_steps: int = 0) -> Tensor:
        """One vector a sequence, ``(B, D)``: what the classifier at the end reads."""
        return self._pooled(self.encoder_input(x_BTF, lengths_B), lengths_B, truncate_steps)

    def _pooled(self, read_BTE: Tensor, lengths_B: Tensor, truncate_steps: int) -> Tensor:
        if truncate_steps:
            y_BTD = run_truncated(self.encoder, read_BTE, lengths_B, truncate_steps)
        else:
            y_BTD, _ = self.encoder(read_BTE, lengths_B)
        pooled_BD: Tensor = self.pooling(y_BTD, lengths_B)
        return pooled_BD

    def why_not_causal(self) -> str:
        """Why there is no :meth:`step`: empty, or which setting of the training stands against it."""
        if self.encoder.bidirectional:
            return "it also reads clips from their end; train with `model.bidirectional false`"
        if not isinstance(self.pooling, LastPooling):
            return "it pools over a whole clip; train with `model.pooling last`"
        return ""

    def initial_state(self, batch: int) -> ClassifierState:
        """The state before the first step of ``batch`` sequences."""
        like, layers = self.norm.mean, self.encoder.stack.layers
        zeros_LBD = like.new_zeros(len(layers), batch, self.encoder.output_size)
        parts = len(self.encoder.stack.cell.state_names)
        before_BF = like.new_full((batch, len(like)), torch.nan)
        return ClassifierState(before_BF, tuple(zeros_LBD.clone() for _ in range(parts)))

    @torch.no_grad()
    def step(self, x_BF: Tensor, state: ClassifierState) -> tuple[Tensor, ClassifierState]:
        """One step of a causal network: the scores ``(B, K)`` of all that was read up to now.

        What it gives at step t is what :meth:`forward` gives for a clip of the first t steps, to 1e-5 in
        float32: its kernels add in another order.

        Args:
            x_BF: the next features of each sequence.
            state: after the step before, or :meth:`initial_state`.

        Raises:
            ValueError: the network is not causal; says which setting of the training would make it so.
        """
        if why := self.why_not_causal():
            raise ValueError(f"the network cannot go step by step: {why}")
        now_BF = self.norm(x_BF.float())
        read_BE = self.project(self._with_change(now_BF, state.before_BF))
        y_BD, last = single_step(self.encoder.stack.layers, read_BE, state.encoder)
        scores_BK: Tensor = self.head(y_BD)
        return scores_BK, ClassifierState(now_BF, last)

    def _with_change(self, x_BF: Tensor, before_BF: Tensor) -> Tensor:
        if not (self.frame_difference or self.absolute_difference):
            return x_BF
        change_BF = torch.where(before_BF.isnan(), 0.0, x_BF - before_BF)  # nothing came before a first step
        signed = [change_BF] if self.frame_difference else []
        unsigned = [change_BF.abs()] if self.absolute_difference else []
        return torch.cat([x_BF, *signed, *unsigned], dim=-1)

    def encoder_input(self, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """What the encoder reads at every step, ``(B, T, E)``."""
        padded_BT1 = ~valid_steps(lengths_B, x_BTF.shape[1])[..., None]
        # Filled, not multiplied by zero: whatever lies in padded steps may be no number at all.
        x_BTF = self.norm(x_BTF.float().masked_fill(padded_BT1, 0.0))
        x_BTF = self.input_dropout(x_BTF.transpose(1, 2)).transpose(1, 2)
        if self.frame_difference or self.absolute_difference:
            change_BTF = torch.diff(x_BTF, dim=1, prepend=x_BTF[:, :1])
            signed = [change_BTF] if self.frame_difference else []
            unsigned = [change_BTF.abs()] if self.absolute_difference else []
            x_BTF = torch.cat([x_BTF, *signed, *unsigned], dim=-1)
        read_BTE: Tensor = self.project(x_BTF.masked_fill(padded_BT1, 0.0))
        return read_BTE
