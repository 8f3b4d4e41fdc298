"""The metrics that are logged, against scikit-learn; the loss and its weights, against the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from vidlstm.settings import OptimiserSettings
from vidlstm.structures import SequenceBatch
from vidlstm.training.action import ActionModule, action_metrics, balanced_weights
from vidlstm.training.baselines import late_regression, logistic_regression, majority_class, score


class Echo(torch.nn.Module):
    """Gives the first step as the class scores, so that a test decides what is predicted."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x_BTF: torch.Tensor, lengths_B: torch.Tensor, truncate_steps: int = 0) -> torch.Tensor:
        return x_BTF[:, 0] * self.scale


def drawn(count: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, classes, (count,), generator=generator)
    scores = torch.randn(count, classes, generator=generator)
    scores[torch.arange(count), targets] += 1.0
    return scores, targets


def batches(scores: torch.Tensor, targets: torch.Tensor, size: int) -> list[SequenceBatch]:
    parts = [torch.arange(len(targets))[i : i + size] for i in range(0, len(targets), size)]
    return [SequenceBatch(scores[p, None], torch.ones(len(p)).long(), targets[p], p) for p in parts]


def test_metrics_agree_with_scikit_learn_over_uneven_batches() -> None:
    scores, targets = drawn(101, 7)
    collection = action_metrics(7, "val_")
    for batch in batches(scores, targets, 16):
        collection.update(batch.x_BTF[:, 0], batch.targets)
    values = collection.compute()
    predicted, truth = scores.argmax(1).numpy(), targets.numpy()
    assert values["val_accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert values["val_mean_class_accuracy"] == pytest.approx(sk.balanced_accuracy_score(truth, predicted))
    assert values["val_macro_f1"] == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    assert values["val_top5_accuracy"] == pytest.approx(
        sk.top_k_accuracy_score(truth, scores.numpy(), k=5, labels=range(7))
    )
    assert np.array_equal(values["val_confusion"].numpy(), sk.confusion_matrix(truth, predicted))


def test_top_5_is_left_out_where_it_says_nothing() -> None:
    assert "val_top5_accuracy" not in action_metrics(5, "val_")


def test_the_baseline_scores_agree_with_scikit_learn() -> None:
    scores, targets = drawn(60, 4)
    keep = targets != 2  # a class that no validation clip has
    predicted, truth = scores[keep].argmax(1).numpy(), targets[keep].numpy()
    values = score(predicted, truth, 4)
    assert values["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    recalls = sk.recall_score(truth, predicted, labels=[0, 1, 3], average="macro")
    assert values["mean_class_accuracy"] == pytest.approx(recalls)
    assert values["macro_f1"] == pytest.approx(
        sk.f1_score(truth, predicted, labels=[0, 1, 3], average="macro")
    )


def test_the_training_loss_is_weighted_smoothed_cross_entropy() -> None:
    scores, targets = drawn(12, 3)
    weights, smoothing = torch.tensor([0.5, 1.0, 2.0]), 0.2
    optimiser = OptimiserSettings(label_smoothing=smoothing)
    task = ActionModule(Echo(), 3, optimiser, total_steps=1, class_weights_K=weights)
    (batch,) = batches(scores, targets, 12)
    # As torch documents it: -log p weighed by its class, the sum divided by the targets' weights.
    log_p = scores.log_softmax(1)
    goal = torch.nn.functional.one_hot(targets, 3) * (1 - smoothing) + smoothing / 3
    expected = -(goal * weights * log_p).sum() / weights[targets].sum()
    torch.testing.assert_close(task.training_step(batch, 0).detach(), expected)


def test_balanced_weights_make_the_classes_count_alike() -> None:
    counts = torch.tensor([10, 0, 30])
    weights = balanced_weights(counts)
    assert weights[1] == 0
    assert float(weights[0] * 10) == pytest.approx(float(weights[2] * 30))
    assert float((weights * counts).sum() / counts.sum()) == pytest.approx(1.0)


def test_the_majority_class() -> None:
    assert majority_class(np.array([2, 1, 1, 2, 0]), 3).tolist() == [1, 1, 1]


def test_the_logistic_row_learns_means_and_is_blind_to_order() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(60, 8)) + np.repeat([[0.0], [1.0]], 30, axis=0)
    truth = np.repeat([0, 1], 30)
    predicted = logistic_regression(train, truth, train[::-1])
    assert (predicted == truth[::-1]).mean() > 0.9
    assert logistic_regression(train[:30], truth[:30], train).tolist() == [0] * 60  # one class only


def test_the_late_regression_listens_to_who_is_sure() -> None:
    """Two parts that each tell one half of the clips apart: together they tell all."""
    rng = np.random.default_rng(0)
    truth, half = np.tile([3, 7], 100), np.repeat([0, 1], 100)
    parts = [np.where(half == k, truth - 5.0, 0.0)[:, None] + 0.1 * rng.normal(size=(200, 4)) for k in (0, 1)]
    alone = [(logistic_regression(part, truth, part, c=1.0) == truth).mean() for part in parts]
    assert max(alone) < 0.9
    assert (late_regression(parts, truth, parts, c=1.0) == truth).mean() > 0.99
    assert late_regression(parts, np.full(200, 1), parts).tolist() == [1] * 200  # one class only
    x = (truth - 5.0)[:, None]
    with np.errstate(divide="raise"):  # so far out that a probability is zero
        assert late_regression([x, x], truth, [1e6 * x, -1e5 * x]).tolist() == truth.tolist()
