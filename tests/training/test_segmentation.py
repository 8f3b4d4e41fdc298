"""Losses of labelled steps, on paper; what is learned; the state that is carried from batch to batch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer, seed_everything
from torch.nn import functional as F

from tests.fakes.features import FPS, fake_store, put
from vidlstm.cards import SegmentationCard
from vidlstm.datamodules.segmentation import SegmentationData
from vidlstm.datasets.timed import TimedLabel, TimedVideo
from vidlstm.settings import (
    SegmentationDataSettings,
    SegmentationModelSettings,
    SegmentationOptimiserSettings,
    SegmentationSettings,
)
from vidlstm.structures import FeatureSequence, SequenceBatch
from vidlstm.tasks.segmentation.evaluation import baseline_rows, score_model
from vidlstm.tasks.segmentation.task import SegmentationTask
from vidlstm.training.segmentation import (
    SegmentationModule,
    balanced_step_weights,
    boundary_rarity,
    boundary_targets,
    smoothing_loss,
    step_losses,
    step_metrics,
)

TASK = SegmentationTask()
SURE = SegmentationOptimiserSettings(learning_rate=2e-2)
SMALL = {"hidden_size": 16, "projection": 0, "dropout": 0.0, "input_dropout": 0.0}


# Losses.


def test_unknown_steps_cost_nothing() -> None:
    scores = torch.tensor([[[0.0, 0.0], [5.0, -5.0], [0.0, math.log(3)]]])
    losses = step_losses(scores, torch.tensor([[0, -1, 1]]))
    assert losses.tolist() == pytest.approx([math.log(2), math.log(4 / 3)])
    weighed = step_losses(scores, torch.tensor([[0, -1, 1]]), weights_K=torch.tensor([2.0, 0.5]))
    assert weighed.tolist() == pytest.approx([2 * math.log(2), math.log(4 / 3) / 2])


def test_overlapping_labels_cost_each_by_itself() -> None:
    scores = torch.tensor([[[0.0, math.log(3)], [1.0, 1.0]]])
    losses = step_losses(scores, torch.tensor([[[1, 1], [-1, -1]]]))
    assert losses.tolist() == pytest.approx([(math.log(2) + math.log(4 / 3)) / 2])
    weighed = step_losses(scores[:, :1], torch.tensor([[[1, 0]]]), weights_K=torch.tensor([3.0, 1.0]))
    assert weighed.tolist() == pytest.approx([(3 * math.log(2) + math.log(4)) / 2])


def test_smoothing_is_the_truncated_mean_of_squares() -> None:
    """Two classes, three steps: changes 1 and 2 of one class, 5 (cut at 4) and 0 of the other."""
    log = torch.tensor([[[0.0, 0.0], [1.0, 5.0], [3.0, 5.0]]])
    assert smoothing_loss(log, torch.tensor([3]), 4.0).item() == pytest.approx((1 + 16 + 4 + 0) / 4)
    assert smoothing_loss(log, torch.tensor([2]), 4.0).item() == pytest.approx((1 + 16) / 2)
    assert smoothing_loss(log, torch.tensor([1]), 4.0).item() == 0


def test_smoothing_is_that_of_the_published_code() -> None:
    scores = torch.randn(2, 7, 3) * 4
    log = F.log_softmax(scores, dim=-1)
    squares = F.mse_loss(log[:, 1:], log.detach()[:, :-1], reduction="none").clamp(min=0, max=16)
    assert smoothing_loss(log, torch.tensor([7, 7]), 4.0).item() == pytest.approx(squares.mean().item())


def test_smoothing_leaves_the_earlier_step_alone() -> None:
    log = torch.tensor([[[0.0], [1.0]]], requires_grad=True)
    smoothing_loss(log, torch.tensor([2]), 4.0).backward()
    assert log.grad is not None
    assert log.grad.flatten().tolist() == [0, 2]


def test_weights_make_classes_alike() -> None:
    weights = balanced_step_weights(torch.tensor([30, 10, 0]), 40, multi_label=False)
    assert (weights * torch.tensor([30, 10, 0])).tolist() == pytest.approx([20, 20, 0])
    several = balanced_step_weights(torch.tensor([30, 10, 0]), 40, multi_label=True)
    assert several.tolist() == pytest.approx([1 / 3, 3, 40])


def test_a_segment_begins_where_the_class_changes() -> None:
    targets = torch.tensor([[0, 0, 1, -1, 1, 0], [2, 2, 2, 2, -1, -1]])
    assert boundary_targets(targets).tolist() == [[-1, 0, 1, -1, -1, 1], [-1, 0, 0, 0, -1, -1]]
    assert boundary_targets(targets[:, :1]).tolist() == [[-1], [-1]]
    assert boundary_rarity(targets).tolist() == [2.0]  # 4 of 6 do not begin
    assert boundary_rarity(targets[1:]).tolist() == [3.0]  # none does


def test_one_label_that_may_be_absent_is_scored() -> None:
    metrics = step_metrics(1, multi_label=True)
    metrics.update(torch.tensor([[2.0], [3.0], [-1.0]]), torch.tensor([[1], [0], [0]]))
    assert metrics.compute()["val_macro_f1"].item() == pytest.approx(2 / 3)


# Learning: a short pulse begins a class, and what lies between pulses looks alike.


def pulses(tmp_path: Path, *, videos: int = 6, several: bool = False, **settings: Any) -> SegmentationData:
    """The class of a step is that of the last pulse: only what was before tells it."""
    rng, store, made, hashes = np.random.default_rng(0), fake_store(tmp_path, 4), [], {}
    for number in range(videos):
        x, marks, at = 0.1 * rng.normal(size=(80, 4)), [], 0
        while at < 80:
            length, kind = int(rng.integers(10, 20)), len(marks) % 2
            x[at, kind] += 3
            end = min(at + length, 80)
            marks.append(TimedLabel(at / FPS, end / FPS, "ab"[kind]))
            if several:
                marks.append(TimedLabel(at / FPS, (at + 1) / FPS, "pulse"))
            at = end
        path = Path(f"{number}.mp4")
        hashes[path] = put(store, str(path), FeatureSequence(x.astype(np.float16), np.arange(80) / FPS))
        made.append(TimedVideo(path, tuple(marks)))
    return SegmentationData(
        store,
        hashes,
        ("a", "b", "pulse") if several else ("a", "b"),
        train=made[:-2],
        validation=made[-2:],
        settings=SegmentationDataSettings(multi_label=several, batch_size=4, minimum_seconds=0.0, **settings),
    )


def learned(
    data: SegmentationData, epochs: int = 30, **model: Any
) -> tuple[SegmentationModule, SegmentationCard]:
    settings = SegmentationSettings(
        data=data._settings, model=SegmentationModelSettings(**SMALL, **model), optimiser=SURE
    )
    card = SegmentationCard(
        labels=data.labels,
        feature_dim=4,
        backbone={"backbone": "none"},
        fps=FPS,
        model=settings.model,
        data=settings.data,
    )
    seed_everything(0, verbose=False)
    quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
    trainer = Trainer(
        max_epochs=epochs, accelerator="cpu", enable_model_summary=False, limit_val_batches=0, **quiet
    )
    module = TASK.module(settings, card, data, trainer)
    trainer.fit(module, datamodule=data)
    module.eval()
    return module, card


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        ({"window_seconds": 4.0}, {"bidirectional": False}),
        ({"window_seconds": None}, {"bidirectional": True, "cell": "gru"}),
        ({"window_seconds": 1.0, "carry_state": True}, {"bidirectional": False, "boundary": True}),
    ],
    ids=["causal", "bidirectional", "carried"],
)
def test_what_happened_before_is_learned(
    settings: dict[str, Any], model: dict[str, Any], tmp_path: Path
) -> None:
    data = pulses(tmp_path, **settings)
    module, card = learned(data, **model)
    scores = score_model(module.model, card, data)
    baselines = baseline_rows(card, data)
    assert scores["accuracy"] > 0.9 and scores["edit"] > 0.9 and scores["f1@50"] > 0.85, scores
    assert scores["map"] > 0.9
    assert max(row["accuracy"] for row in baselines.values()) < 0.8
    assert set(baselines) == {
        "commonest_class",
        "by_relative_time",
        "step_regression",
        "window_regression",
    }
    assert all(event["events"] for event in scores["events"]["a"])


def test_overlapping_labels_are_learned(tmp_path: Path) -> None:
    data = pulses(tmp_path, several=True, window_seconds=4.0)
    module, card = learned(data, bidirectional=False)
    scores = score_model(module.model, card, data)
    assert scores["map"] > 0.95 and scores["macro_f1"] > 0.9, scores
    assert "accuracy" not in scores


# The carried state.


def test_a_batch_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """All pieces give what the whole video gives; no gradient leaves a piece, and no batch is longer."""
    data = pulses(tmp_path, window_seconds=1.5, carry_state=True)
    module = SegmentationModule(
        TASK.build(card_of(data)), SURE, num_classes=2, total_steps=9, carry_state=True
    ).train()
    said: dict[int, list[torch.Tensor]] = {}
    module.on_train_epoch_start()
    for batch in data.train_dataloader():
        scores_BTK = module._scores(batch)
        assert batch.x_BTF.shape[1] <= 15
        assert module._state is not None
        assert not any(part.requires_grad for part in (module._state.before_BF, *module._state.encoder))
        for row, video in enumerate(batch.index_B.tolist()):
            said.setdefault(video, []).append(scores_BTK[row, : batch.lengths_B[row]])
    assert data.train_set is not None
    for video, pieces in said.items():
        whole_TK = module.model.whole(data.train_set.features(video)[None])[0]
        torch.testing.assert_close(torch.cat(pieces), whole_TK, rtol=1e-4, atol=1e-5)


def card_of(data: SegmentationData) -> SegmentationCard:
    model = SegmentationModelSettings(**SMALL, bidirectional=False, frame_difference=True)
    return SegmentationCard(
        labels=data.labels, feature_dim=4, backbone={"backbone": "none"}, fps=FPS, model=model
    )


def test_a_batch_without_a_known_step_teaches_smoothness_alone(tmp_path: Path) -> None:
    module = SegmentationModule(
        TASK.build(card_of(pulses(tmp_path))), SURE, num_classes=2, total_steps=9
    ).train()
    nothing = torch.full((2, 5), -1)
    extras = {"slot_B": torch.arange(2), "fresh_B": torch.tensor([True, True])}
    batch = SequenceBatch(torch.randn(2, 5, 4), torch.tensor([5, 5]), nothing, torch.arange(2), extras)
    module.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]
    loss = module.training_step(batch, 0)
    assert bool(loss.isfinite())
    loss.backward()
