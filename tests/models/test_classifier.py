"""The classifier: padding and neighbours change nothing, order is learned, few sequences are overfitted."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.fakes.features import rise_or_fall
from tests.tolerance import assert_near, recurrence
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.pooling import POOLINGS
from vidlstm.models.trunk import FeatureNorm

WIDTH = 5
OPERATIONS = recurrence(11, layers=2, width=2 * 6 + 6 + 2) + 100
"""From a feature to a score of :func:`classifier` over 11 steps, a hundred of them outside the encoder."""


def classifier(seed: int = 0, **settings: Any) -> SequenceClassifier:
    torch.manual_seed(seed)
    small: dict[str, Any] = {"hidden_size": 6, "projection": 4, "num_layers": 2}
    model = SequenceClassifier(WIDTH, 3, **small | settings)
    model.norm.fit(torch.randn(WIDTH), torch.rand(WIDTH) + 0.5)
    return model.eval()


def padded(sequences: list[Tensor], steps: int | None = None, fill: float = 0.0) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(s) for s in sequences])
    x = torch.full((len(sequences), steps or int(lengths.max()), sequences[0].shape[1]), fill)
    for row, sequence in zip(x, sequences, strict=True):
        row[: len(sequence)] = sequence
    return x, lengths


every_model = pytest.mark.parametrize(
    "settings",
    [
        {"cell": cell, "pooling": pooling, "frame_difference": difference, "bidirectional": both}
        for cell, pooling, difference, both in itertools.product(
            ("lstm", "gru"), POOLINGS, (False, True), (True,)
        )
    ]
    + [{"absolute_difference": True}, {"absolute_difference": True, "frame_difference": True}]
    + [{"bidirectional": False}, {"cell": "rnn_tanh"}, {"projection": 0}],
    ids=lambda s: "-".join(map(str, s.values())),
)


@every_model
@pytest.mark.parametrize("garbage", [7.0, float("nan"), float("inf")])
def test_padding_changes_nothing(settings: dict[str, Any], garbage: float) -> None:
    model = classifier(**settings)
    sequences = [torch.randn(n, WIDTH) for n in (3, 1, 6)]
    with torch.no_grad():
        expected = model(*padded(sequences))
        more = model(*padded(sequences, steps=11, fill=garbage))
    assert_near(more, expected, operations=OPERATIONS)


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5), pooling=st.sampled_from(POOLINGS))
@settings(max_examples=40)
def test_batch_composition_changes_nothing(lengths: list[int], pooling: str) -> None:
    model = classifier(pooling=pooling, frame_difference=True)
    sequences = [torch.randn(n, WIDTH) for n in lengths]
    with torch.no_grad():
        together = model(*padded(sequences))
        alone = torch.cat([model(*padded([s])) for s in sequences])
    assert_near(together, alone, operations=OPERATIONS)


def test_garbage_in_padded_steps_gives_no_garbage_gradient() -> None:
    model = classifier(frame_difference=True, pooling="attention").train()
    x, lengths = padded([torch.randn(2, WIDTH), torch.randn(5, WIDTH)], fill=float("nan"))
    model(x, lengths).sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_the_first_step_has_no_difference() -> None:
    """A sequence of one step, and one that never changes, give the difference input nothing but zeros."""
    model = classifier(frame_difference=True)
    seen: list[Tensor] = []
    model.project.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    step = torch.randn(1, WIDTH)
    with torch.no_grad():
        model(*padded([step.expand(4, WIDTH)]))
        model(*padded([torch.cat([step, step + 1])]))
    assert seen[0].shape[-1] == 2 * WIDTH
    assert not seen[0][..., WIDTH:].any()
    assert not seen[1][:, 0, WIDTH:].any()
    torch.testing.assert_close(seen[1][0, 1, WIDTH:], model.norm.scale)


def test_forth_and_back_add_up_in_the_absolute_difference() -> None:
    model = classifier(absolute_difference=True, frame_difference=True)
    seen: list[Tensor] = []
    model.project.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    step = torch.randn(1, WIDTH)
    with torch.no_grad():
        model(*padded([torch.cat([step, step + 1, step])]))
    signed, absolute = seen[0][0, :, WIDTH:].chunk(2, dim=-1)
    torch.testing.assert_close(signed.sum(0), torch.zeros(WIDTH), atol=1e-5, rtol=0)
    torch.testing.assert_close(absolute.sum(0), 2 * model.norm.scale)
    assert not absolute[0].any()


def test_features_are_normalised_with_the_training_statistics() -> None:
    rows = torch.randn(500, WIDTH) * torch.tensor([1.0, 10.0, 0.1, 1.0, 0.0]) + 3
    norm = FeatureNorm(WIDTH)
    norm.fit(rows.mean(0), rows.std(0))
    out = norm(rows[None])[0]
    torch.testing.assert_close(out.mean(0), torch.zeros(WIDTH), atol=1e-4, rtol=0)
    torch.testing.assert_close(out.std(0), torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0]), atol=1e-4, rtol=0)


# Cells and poolings know nothing of each other, so not every cell has to meet every pooling.
each_cell_and_each_pooling = pytest.mark.parametrize(
    ("cell", "pooling"), [("rnn_tanh", "attention"), ("gru", "attention"), *(("lstm", p) for p in POOLINGS)]
)


def fit(
    model: nn.Module, x: Tensor, lengths: Tensor, targets: Tensor, *, steps: int, rate: float = 0.02
) -> None:
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(x, lengths), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()


@each_cell_and_each_pooling
def test_overfits_eight_sequences(cell: str, pooling: str) -> None:
    model = classifier(
        cell=cell, pooling=pooling, dropout=0.0, input_dropout=0.0, num_layers=1, hidden_size=12
    )
    sequences = [torch.randn(n, WIDTH) for n in (3, 8, 5, 1, 7, 2, 6, 4)]
    x, lengths = padded(sequences)
    targets = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    fit(model, x, lengths, targets, steps=80)
    with torch.no_grad():
        assert torch.equal(model(x, lengths).argmax(1), targets)


@each_cell_and_each_pooling
def test_learns_what_only_order_tells(cell: str, pooling: str) -> None:
    """Each class holds the other's sequences reversed: what forgets order is equal in both."""
    model = classifier(
        cell=cell, pooling=pooling, dropout=0.1, input_dropout=0.0, num_layers=1, hidden_size=12
    )

    def batch(seed: int) -> tuple[Tensor, Tensor, Tensor]:
        sequences, labels = rise_or_fall(48, WIDTH, seed=seed)
        x, lengths = padded([torch.from_numpy(s.features).float() for s in sequences])
        return x, lengths, torch.tensor([label == "rise" for label in labels]).long()

    fit(model, *batch(1), steps=60)
    x, lengths, truth = batch(2)
    with torch.no_grad():
        assert (model(x, lengths).argmax(1) == truth).float().mean() > 0.95


def test_dropout_takes_a_feature_from_the_whole_clip() -> None:
    model = classifier(input_dropout=0.5, projection=0).train()
    seen: list[Tensor] = []
    model.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model(torch.randn(20, 6, WIDTH), torch.full((20,), 6))
    kept = seen[0] != 0
    assert torch.equal(kept.any(1), kept.all(1)) and 0 < kept.float().mean() < 1
