"""Scores of single sequences, and of bags of them by attention.

Ilse, Tomczak and Welling 2018, "Attention-based deep multiple instance learning", eq. 7-8, with the
classifier in front of the pooling instead of behind it (Javed et al. 2022, "Additive MIL"): the scores of a
bag are the weighted mean of those of its sequences, so that a network taught by bags says something of each.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidlstm.models.classifier import SequenceClassifier


class BagScores(NamedTuple):
    """What a :class:`BagClassifier` says.

    Attributes:
        bags_GK: class scores (logits) of each bag.
        sequences_BK: of each sequence by itself.
        attention_B: the weight of each sequence in its bag; those of a bag add up to 1.
    """

    bags_GK: Tensor
    sequences_BK: Tensor
    attention_B: Tensor


class BagClassifier(nn.Module):
    """A recurrent classifier over bags of feature sequences.

    Args:
        sequences: reads each sequence.
        attention: units of the hidden layer that weighs them.
    """

    def __init__(self, sequences: SequenceClassifier, attention: int = 32) -> None:
        super().__init__()
        self.sequences = sequences
        self.attention = nn.Sequential(
            nn.Linear(sequences.encoder.output_size, attention),
            nn.Tanh(),
            nn.Linear(attention, 1, bias=False),
        )

    def forward(self, x_BTF: Tensor, lengths_B: Tensor, bag_B: Tensor, truncate_steps: int = 0) -> Tensor:
        """Class scores (logits) of bags ``(G, K)``.

        Args:
            x_BTF, lengths_B: the sequences.
            bag_B: the bag of each, from 0, rising, none left out.
            truncate_steps: see :class:`SequenceClassifier`.
        """
        return self.scores(x_BTF, lengths_B, bag_B, truncate_steps).bags_GK

    def fit_norm(self, mean_F: Tensor, std_F: Tensor) -> None:
        """Takes the statistics of the training features."""
        self.sequences.fit_norm(mean_F, std_F)

    def scores(self, x_BTF: Tensor, lengths_B: Tensor, bag_B: Tensor, truncate_steps: int = 0) -> BagScores:
        """All that is said of the bags and of each sequence."""
        pooled_BD = self.sequences.pooled(x_BTF, lengths_B, truncate_steps)
        sequences_BK = self.sequences.head(pooled_BD)
        attention_B = softmax_within(self.attention(pooled_BD).squeeze(-1), bag_B)
        # In mixed precision some steps give half the digits and some all: sums need one kind, and the better.
        sequences_BK = sequences_BK.to(attention_B.dtype)
        bags_GK = sequences_BK.new_zeros(int(bag_B[-1]) + 1, sequences_BK.shape[1])
        bags_GK = bags_GK.index_add(0, bag_B, attention_B[:, None] * sequences_BK)
        return BagScores(bags_GK, sequences_BK, attention_B)


def softmax_within(scores_B: Tensor, bag_B: Tensor) -> Tensor:
    """The softmax of scores over those of the same bag, ``(B,)``, in float32 at least."""
    scores_B = scores_B.to(torch.promote_types(scores_B.dtype, torch.float32))
    bags = int(bag_B[-1]) + 1
    largest_G = scores_B.new_full((bags,), -torch.inf).scatter_reduce(0, bag_B, scores_B.detach(), "amax")
    shares_B = (scores_B - largest_G[bag_B]).exp()
    total_G = scores_B.new_zeros(bags).index_add(0, bag_B, shares_B)
    weights_B: Tensor = shares_B / total_G[bag_B]
    return weights_B
