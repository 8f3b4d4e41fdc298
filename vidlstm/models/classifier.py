"""Features of a clip to class scores: normalise, difference, project, recur, pool, classify.

The shape is that of the CNN + LSTM of Donahue et al. 2015, "Long-term recurrent convolutional networks",
with the CNN outside. It knows nothing of losses, files or frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidlstm.models.pooling import LastPooling, build_pooling
from vidlstm.models.truncation import run_truncated
from vidlstm.models.trunk import Carried, SequenceTrunk, all_steps


class SequenceClassifier(SequenceTrunk):
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
        self.settings |= {"num_classes": num_classes, "pooling": pooling}
        self.pooling = build_pooling(pooling, self.encoder.output_size, bidirectional=bidirectional)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.encoder.output_size, num_classes))

    def forward(self, x_BTF: Tensor, lengths_B: Tensor | None = None, truncate_steps: int = 0) -> Tensor:
        """Class scores (logits) ``(B, K)`` of padded features ``(B, T, F)`` with ``lengths (B,)``.

        Args:
            x_BTF: the clips.
            lengths_B: valid steps of each, at least 1; None where all T are valid.
            truncate_steps: cut the gradient at every so many steps; see :func:`run_truncated`. 0 never does.
        """
        lengths_B = all_steps(x_BTF) if lengths_B is None else lengths_B
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
        """Why no step can be taken by itself: empty, or which setting of the training stands against it."""
        if why := super().why_not_causal():
            return why
        if not isinstance(self.pooling, LastPooling):
            return "it pools over a whole clip; train with `model.pooling last`"
        return ""

    @torch.no_grad()
    def step(self, x_BF: Tensor, state: Carried) -> tuple[Tensor, Carried]:
        """One step of a causal network: the scores ``(B, K)`` of all that was read up to now.

        What it gives at step t is what :meth:`forward` gives for a clip of the first t steps, to 1e-5 in
        float32: its kernels add in another order.

        Args:
            x_BF: the next features of each sequence.
            state: after the step before, or :meth:`initial_state`.

        Raises:
            ValueError: the network is not causal; says which setting of the training would make it so.
        """
        self.require_causal()
        y_BD, after = self.read_step(x_BF, state)
        scores_BK: Tensor = self.head(y_BD)
        return scores_BK, after
