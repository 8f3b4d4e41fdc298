"""What every network over feature sequences begins with: normalise, difference, project, recur.

What stands after it is a head's business: one vector a sequence (``classifier.py``), or scores at every step
(``labeller.py``). It knows nothing of losses, files or frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from vidlstm.models.cells import valid_steps
from vidlstm.models.recurrent import RecurrentEncoder
from vidlstm.models.stacks import single_step

if TYPE_CHECKING:
    from vidlstm.models.cells import State


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


class Carried(NamedTuple):
    """What a causal network carries from step to step.

    Attributes:
        before_BF: the normalised features of the step before; NaN where there was none.
        encoder: of the recurrent layers, parts of ``(L, B, D)``.
    """

    before_BF: Tensor
    encoder: State

    def detach(self) -> Carried:
        """The same values, through which no gradient goes back."""
        return Carried(self.before_BF.detach(), tuple(part.detach() for part in self.encoder))


class SequenceTrunk(nn.Module):
    """Feature sequences to one hidden state a step.

    Args:
        feature_dim: F, the width of the stored features.
        cell, hidden_size, num_layers, bidirectional: of the encoder.
        projection: width of a linear layer (with layer norm and ReLU) before the encoder; 0 for none.
        dropout: between layers and after the projection.
        input_dropout: on the normalised features; a feature is dropped for the whole sequence at once.
        frame_difference: append x_t - x_{t-1} to each step, zero at the first.
        absolute_difference: append ``|x_t - x_{t-1}|``, feature by feature. Forth and back cancel in a mean
            of differences and add up here.
        forget_bias, orthogonal: how the encoder starts; see :class:`RecurrentEncoder`.
    """

    def __init__(
        self,
        feature_dim: int,
        *,
        cell: str,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        projection: int,
        dropout: float,
        input_dropout: float,
        frame_difference: bool,
        absolute_difference: bool,
        forget_bias: float | None,
        orthogonal: bool,
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "feature_dim": feature_dim,
            "cell": cell,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "bidirectional": bidirectional,
            "projection": projection,
            "dropout": dropout,
            "input_dropout": input_dropout,
            "frame_difference": frame_difference,
            "absolute_difference": absolute_difference,
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

    def fit_norm(self, mean_F: Tensor, std_F: Tensor) -> None:
        """Takes the statistics of the training features."""
        self.norm.fit(mean_F, std_F)

    def why_not_causal(self) -> str:
        """Why no step can be taken by itself: empty, or which setting of the training stands against it."""
        if self.encoder.bidirectional:
            return "it also reads sequences from their end; train with `model.bidirectional false`"
        return ""

    def require_causal(self) -> None:
        """Raises where the network is not causal.

        Raises:
            ValueError: it says which setting of the training would make it so.
        """
        if why := self.why_not_causal():
            raise ValueError(f"the network cannot go step by step: {why}")

    def initial_state(self, batch: int) -> Carried:
        """The state before the first step of ``batch`` sequences."""
        like, layers = self.norm.mean, self.encoder.stack.layers
        shape = len(layers), batch, self.encoder.output_size
        parts = self.encoder.stack.cell.state_names
        before_BF = like.new_full((batch, len(like)), torch.nan)
        return Carried(before_BF, tuple(like.new_zeros(shape) for _ in parts))

    def read_step(self, x_BF: Tensor, state: Carried) -> tuple[Tensor, Carried]:
        """One step of a causal network: the hidden state ``(B, D)`` after the features ``(B, F)``."""
        now_BF = self.norm(x_BF.float())
        read_BE = self.project(self._with_change(now_BF, _known(state.before_BF, now_BF)))
        y_BD, last = single_step(self.encoder.stack.layers, read_BE, state.encoder)
        return y_BD, Carried(now_BF, last)

    def encoder_input(self, x_BTF: Tensor, lengths_B: Tensor, before_BF: Tensor | None = None) -> Tensor:
        """What the encoder reads at every step, ``(B, T, E)``.

        Args:
            x_BTF: padded features.
            lengths_B: valid steps of each, at least 1.
            before_BF: the normalised features of the step before the first, for the differences; NaN, and
                None, where there was none.
        """
        padded_BT1 = ~valid_steps(lengths_B, x_BTF.shape[1])[..., None]
        # Filled, not multiplied by zero: whatever lies in padded steps may be no number at all.
        x_BTF = self.norm(x_BTF.float().masked_fill(padded_BT1, 0.0))
        if self.frame_difference or self.absolute_difference:
            # The step before goes through the same dropout, so that a feature drops out of both or neither.
            before_BF = x_BTF[:, 0] if before_BF is None else _known(before_BF, x_BTF[:, 0])
            x_BTF = self._drop(torch.cat([before_BF[:, None], x_BTF], dim=1))
            x_BTF = self._with_change(x_BTF[:, 1:], x_BTF[:, :-1])
        else:
            x_BTF = self._drop(x_BTF)
        read_BTE: Tensor = self.project(x_BTF.masked_fill(padded_BT1, 0.0))
        return read_BTE

    def _drop(self, x_BTF: Tensor) -> Tensor:
        dropped_BTF: Tensor = self.input_dropout(x_BTF.transpose(1, 2)).transpose(1, 2)
        return dropped_BTF

    def _with_change(self, x: Tensor, before: Tensor) -> Tensor:
        """The features, and how they differ from those of the step before where that is asked for."""
        if not (self.frame_difference or self.absolute_difference):
            return x
        change = x - before
        signed = [change] if self.frame_difference else []
        unsigned = [change.abs()] if self.absolute_difference else []
        return torch.cat([x, *signed, *unsigned], dim=-1)


def _known(before_BF: Tensor, now_BF: Tensor) -> Tensor:
    """The step before, where there was one; the same step where not, so that nothing has changed."""
    return torch.where(before_BF.isnan(), now_BF, before_BF)


def all_steps(x_BTF: Tensor) -> Tensor:
    """The lengths ``(B,)`` of sequences of which every step is valid."""
    return torch.full((len(x_BTF),), x_BTF.shape[1], device=x_BTF.device)
