"""Feature sequences to class scores at every step: what a classifier does, without the pooling.

A recurrent network with a score at each step is the plain baseline of frame-level action segmentation: Singh
et al. 2016, "A multi-stream bi-directional recurrent neural network for fine-grained action detection"; one
that reads forwards alone is that of online detection: De Geest et al. 2016, "Online action detection".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidlstm.models.trunk import Carried, SequenceTrunk, all_steps

PIECE_STEPS = 4096
"""Seven minutes at ten a second. A video of hours is widened to float32 so many steps at a time."""


class SequenceLabeller(SequenceTrunk):
    """A recurrent network that scores every step.

    A causal one can go step by step. In eval mode, on a CPU and without gradients it always does, so that
    there :meth:`step` and :meth:`forward` agree bit for bit; elsewhere, and in training, whole sequences run
    on fused kernels, which agree to 1e-5.

    >>> labeller = SequenceLabeller(feature_dim=1280, num_classes=7)
    >>> labeller(torch.zeros(2, 30, 1280), torch.tensor([30, 18])).shape
    torch.Size([2, 30, 7])

    Args:
        feature_dim: F, the width of the stored features.
        num_classes: K, how many there are to tell apart.
        cell, hidden_size, num_layers, bidirectional, projection: see :class:`SequenceTrunk`.
        input_dropout, frame_difference, absolute_difference, forget_bias, orthogonal: see there.
        dropout: between layers and before the scores.
        boundary: one more score, of whether a step begins a segment (Ishikawa et al. 2021, "Alleviating
            over-segmentation errors by detecting action boundaries"); it stands after those of the classes,
            and :meth:`split` takes it off.

    Attributes:
        settings: these arguments by name.
    """

    def __init__(
        self,
        feature_dim: int,
        num_classes: int,
        *,
        cell: str = "lstm",
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = True,
        projection: int = 64,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
        frame_difference: bool = False,
        absolute_difference: bool = False,
        forget_bias: float | None = None,
        orthogonal: bool = False,
        boundary: bool = False,
    ) -> None:
        super().__init__(
            feature_dim,
            cell=cell,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            projection=projection,
            dropout=dropout,
            input_dropout=input_dropout,
            frame_difference=frame_difference,
            absolute_difference=absolute_difference,
            forget_bias=forget_bias,
            orthogonal=orthogonal,
        )
        self.settings |= {"num_classes": num_classes, "boundary": boundary}
        self.num_classes, self.boundary = num_classes, boundary
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(self.encoder.output_size, num_classes + boundary)
        )

    def forward(self, x_BTF: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Scores (logits) ``(B, T, K)``, with a boundary ``(B, T, K + 1)``.

        Those at and after ``lengths_B`` mean nothing.

        Args:
            x_BTF: padded features.
            lengths_B: valid steps of each, at least 1; None where all T are valid.
        """
        if self._steps_alone(x_BTF) and not self.why_not_causal():
            return self.carry(x_BTF, lengths_B, self.initial_state(len(x_BTF)))[0]
        return self.whole(x_BTF, lengths_B)

    def whole(self, x_BTF: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """What :meth:`forward` gives, on fused kernels wherever it runs; many times as fast on batches."""
        lengths_B = all_steps(x_BTF) if lengths_B is None else lengths_B
        y_BTD, _ = self.encoder(self._encoder_input(x_BTF, lengths_B), lengths_B)
        scores_BTK: Tensor = self.head(y_BTD)
        return scores_BTK

    def split(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of classes ``(..., K)``, and of a boundary ``(..., 1)``, which are ``(..., 0)`` without."""
        return scores[..., : self.num_classes], scores[..., self.num_classes :]

    def _encoder_input(self, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """All that is as wide as the features a piece at a time, where no gradient needs it kept."""
        if torch.is_grad_enabled():
            return self.encoder_input(x_BTF, lengths_B)
        pieces = []
        for first in range(0, x_BTF.shape[1], PIECE_STEPS):
            before_BF = self.norm(x_BTF[:, first - 1].float()) if first else None
            left_B = (lengths_B - first).clamp(0, PIECE_STEPS)
            pieces.append(self.encoder_input(x_BTF[:, first : first + PIECE_STEPS], left_B, before_BF))
        return torch.cat(pieces, dim=1)

    def carry(self, x_BTF: Tensor, lengths_B: Tensor | None, state: Carried) -> tuple[Tensor, Carried]:
        """One piece of longer sequences: its scores ``(B, T, K)``, and the state for the next piece.

        Piece after piece gives what the whole gives.

        Args:
            x_BTF: the next features of each sequence, padded.
            lengths_B: valid steps of each, at least 1; None where all T are valid.
            state: after the piece before, or :meth:`initial_state`.

        Raises:
            ValueError: the network is not causal.
        """
        self.require_causal()
        lengths_B = all_steps(x_BTF) if lengths_B is None else lengths_B
        if self._steps_alone(x_BTF):
            return self._step_by_step(x_BTF, lengths_B, state)
        read_BTE = self.encoder_input(x_BTF, lengths_B, state.before_BF)
        y_BTD, last = self.encoder(read_BTE, lengths_B, state.encoder)
        rows = torch.arange(len(x_BTF), device=x_BTF.device)
        return self.head(y_BTD), Carried(self.norm(x_BTF[rows, lengths_B - 1].float()), last)

    @torch.no_grad()
    def step(self, x_BF: Tensor, state: Carried) -> tuple[Tensor, Carried]:
        """The class scores ``(B, K)`` of the next step, and the state after it.

        A boundary has none here: where it is likeliest shows only once later steps are known.

        Args:
            x_BF: the next features of each sequence.
            state: after the step before, or :meth:`initial_state`.

        Raises:
            ValueError: the network is not causal.
        """
        self.require_causal()
        scores, after = self._step(x_BF, state)
        return self.split(scores)[0], after

    def _step(self, x_BF: Tensor, state: Carried) -> tuple[Tensor, Carried]:
        y_BD, after = self.read_step(x_BF, state)
        return self.head(y_BD), after

    def _steps_alone(self, x_BTF: Tensor) -> bool:
        eager = not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")
        return eager and not self.training and x_BTF.device.type == "cpu"

    def _step_by_step(self, x_BTF: Tensor, lengths_B: Tensor, state: Carried) -> tuple[Tensor, Carried]:
        scores = []
        for t, x_BF in enumerate(x_BTF.unbind(1)):
            now, after = self._step(x_BF, state)
            scores.append(now)
            state = _where(lengths_B > t, after, state)
        return torch.stack(scores, dim=1), state


def _where(going_B: Tensor, after: Carried, before: Carried) -> Carried:
    """The state after a step, of those sequences that are not over."""
    if bool(going_B.all()):
        return after
    parts = zip(after.encoder, before.encoder, strict=True)
    return Carried(
        torch.where(going_B[:, None], after.before_BF, before.before_BF),
        tuple(torch.where(going_B[:, None], new, old) for new, old in parts),
    )
