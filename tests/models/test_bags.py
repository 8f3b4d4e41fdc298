"""Bags of sequences: no order among them, padding and neighbours change nothing, weights add up to one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.models.test_classifier import OPERATIONS, WIDTH, classifier, padded
from tests.tolerance import assert_near, rounding
from vidlstm.models.bags import BagClassifier, softmax_within


def bags(seed: int = 0, **settings: Any) -> BagClassifier:
    sequences = classifier(seed, **settings)
    model = BagClassifier(sequences, attention=8)
    torch.nn.init.normal_(model.attention[2].weight, std=2.0)  # weights that differ
    return model.eval()


def some(sizes: list[int], seed: int = 0) -> tuple[list[Tensor], Tensor]:
    """So many sequences of different lengths in each bag."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 9, (sum(sizes),), generator=generator).tolist()
    sequences = [torch.randn(n, WIDTH, generator=generator) for n in lengths]
    return sequences, torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.randoms())
@settings(max_examples=25)
def test_the_order_within_a_bag_does_not_matter(sizes: list[int], random: Any) -> None:
    model, (sequences, bag_B) = bags(frame_difference=True), some(sizes)
    order = list(range(len(sequences)))
    random.shuffle(order)
    order.sort(key=lambda i: int(bag_B[i]))  # stable: shuffled within each bag
    with torch.no_grad():
        before = model.scores(*padded(sequences), bag_B)
        after = model.scores(*padded([sequences[i] for i in order]), bag_B)
    wanted = before.bags_GK, before.sequences_BK[order], before.attention_B[order]
    assert_near(tuple(after), wanted, operations=2 * OPERATIONS)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
@settings(max_examples=25)
def test_neither_padding_nor_other_bags_change_a_bag(sizes: list[int]) -> None:
    model, (sequences, bag_B) = bags(), some(sizes)
    with torch.no_grad():
        together = model(*padded(sequences, steps=13, fill=float("nan")), bag_B)
        alone = [
            model(
                *padded([s for s, b in zip(sequences, bag_B, strict=True) if b == g]), bag_B[bag_B == g] * 0
            )
            for g in range(len(sizes))
        ]
    assert_near(together, torch.cat(alone), operations=2 * OPERATIONS)


def test_a_bag_of_one_is_its_sequence() -> None:
    model, (sequences, bag_B) = bags(), some([1] * 4)
    x, lengths = padded(sequences)
    with torch.no_grad():
        said = model.scores(x, lengths, bag_B)
        assert_near(said.bags_GK, model.sequences(x, lengths), operations=OPERATIONS)
        torch.testing.assert_close(said.sequences_BK, said.bags_GK)
    assert said.attention_B.tolist() == [1.0] * 4


def test_a_bag_is_the_mean_of_its_sequences_weighed_by_attention() -> None:
    model, (sequences, bag_B) = bags(), some([3, 1, 4])
    with torch.no_grad():
        bags_GK, sequences_BK, attention_B = model.scores(*padded(sequences), bag_B)
    assert attention_B[:3].std() > 0.01, "they differ"
    for g in range(3):
        mine = bag_B == g
        assert float(attention_B[mine].sum()) == pytest.approx(1.0, abs=rounding(20))
        assert (attention_B[mine] > 0).all()
        torch.testing.assert_close(bags_GK[g], (attention_B[mine, None] * sequences_BK[mine]).sum(0))


def test_every_weight_learns() -> None:
    model, (sequences, bag_B) = bags(), some([3, 2])
    model(*padded(sequences), bag_B).square().sum().backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_the_softmax_agrees_with_the_librarys_and_its_gradient_with_differences() -> None:
    bag_B = torch.tensor([0, 0, 0, 1, 2, 2])
    scores = torch.randn(6, dtype=torch.float64, requires_grad=True)
    found = softmax_within(scores, bag_B)
    for g in range(3):
        torch.testing.assert_close(found[bag_B == g], scores[bag_B == g].softmax(0))
    assert torch.autograd.gradcheck(lambda s: softmax_within(s, bag_B), scores)


@pytest.mark.parametrize("huge", [1e4, 1e30, -1e30])
def test_the_softmax_of_huge_scores_is_finite(huge: float) -> None:
    scores = torch.tensor([huge, huge, huge - abs(huge) / 2, 0.0], requires_grad=True)
    found = softmax_within(scores, torch.tensor([0, 0, 0, 1]))
    torch.testing.assert_close(found, torch.tensor([0.5, 0.5, 0.0, 1.0]))
    found.square().sum().backward()
    assert scores.grad is not None and scores.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weighs_in_full(dtype: torch.dtype) -> None:
    """What ``--trainer.precision bf16-mixed`` does on a GPU: some layers give half the digits, some all."""
    found = softmax_within(torch.randn(300).to(dtype), torch.zeros(300, dtype=torch.long))
    assert found.dtype == torch.float32 and float(found.sum()) == pytest.approx(1.0, abs=rounding(300))
    model, (sequences, bag_B) = bags(), some([3, 2])
    model.sequences.head.to(dtype)
    model.sequences.head.register_forward_pre_hook(lambda _, inputs: (inputs[0].to(dtype),))
    assert model(*padded(sequences), bag_B).dtype == torch.float32


def test_the_gradient_through_time_can_be_cut() -> None:
    model, (sequences, bag_B) = bags(bidirectional=False), some([3, 2])
    with torch.no_grad():
        cut = model(*padded(sequences), bag_B, 2)
        assert_near(cut, model(*padded(sequences), bag_B), operations=2 * OPERATIONS)


def test_finds_out_which_one_of_a_bag_it_is_about() -> None:
    """Bags of noise, one sequence of which carries the class: weak labels teach what each sequence is."""
    generator = torch.Generator().manual_seed(3)

    def batch(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        sequences, about = [], []
        targets = torch.arange(count) % 3
        for target in targets.tolist():
            bag = [torch.randn(6, WIDTH, generator=generator) * 0.3 for _ in range(3)]
            chosen = int(torch.randint(3, (1,), generator=generator))
            bag[chosen] = bag[chosen] + 2 * torch.eye(WIDTH)[target]
            about.append(chosen)
            sequences += bag
        bag_B = torch.repeat_interleave(torch.arange(count), 3)
        return *padded(sequences), bag_B, targets, torch.tensor(about)

    model = bags(dropout=0.0, input_dropout=0.0, num_layers=1)
    model.sequences.norm.fit(torch.zeros(WIDTH), torch.ones(WIDTH))
    x, lengths, bag_B, targets, _ = batch(60)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(x, lengths, bag_B), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    x, lengths, bag_B, targets, about = batch(60)
    with torch.no_grad():
        said = model.scores(x, lengths, bag_B)
    assert (said.bags_GK.argmax(1) == targets).float().mean() > 0.95
    assert (said.attention_B.reshape(60, 3).argmax(1) == about).float().mean() > 0.9
    own = said.sequences_BK.reshape(60, 3, 3)[torch.arange(60), about]
    assert (own.argmax(1) == targets).float().mean() > 0.95
