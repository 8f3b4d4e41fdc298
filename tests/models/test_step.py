"""A causal classifier step by step: what the whole sequence gives, and one state a sequence."""

from __future__ import annotations

import pytest
import torch

from vidlstm.inference.stream import CarriedState
from vidlstm.models.cells import CELLS
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.fusion import LateFusion, why_not_causal


def causal(cell: str = "lstm", **settings: object) -> SequenceClassifier:
    network = SequenceClassifier(
        5, 3, cell=cell, hidden_size=6, bidirectional=False, pooling="last", projection=4, **settings
    )
    network.fit_norm(torch.randn(5), torch.rand(5) + 0.5)
    return network.eval()


@pytest.mark.parametrize("cell", CELLS)
def test_each_step_gives_what_the_sequence_up_to_it_gives(cell: str) -> None:
    network, x_BTF = causal(cell, frame_difference=True, absolute_difference=True), torch.randn(2, 7, 5)
    state = network.initial_state(2)
    for t in range(7):
        scores_BK, state = network.step(x_BTF[:, t], state)
        with torch.no_grad():
            whole_BK = network(x_BTF[:, : t + 1])
        torch.testing.assert_close(scores_BK, whole_BK, rtol=0, atol=1e-5)


def test_sources_that_join_pause_and_leave_do_not_touch_each_other() -> None:
    network, x_STF = causal(), torch.randn(3, 12, 5).numpy()
    alone = []
    for s in range(3):
        streams = CarriedState(network)
        alone.append([streams.push([s], x_STF[s, t : t + 1], [t])[0] for t in range(12)])
    together, at = CarriedState(network), [0, 0, 0]
    for turn in range(40):
        keys = [s for s in range(3) if (turn * 7 + s * 5) % 3 and at[s] < 12 and turn >= 4 * s]
        if not keys:
            continue
        rows = torch.stack([torch.from_numpy(x_STF[s, at[s]]) for s in keys]).numpy()
        for s, said_K in zip(keys, together.push(keys, rows, [at[s] for s in keys]), strict=True):
            expected = alone[s][at[s]]
            assert said_K is not None and expected is not None
            torch.testing.assert_close(torch.tensor(said_K), torch.tensor(expected), rtol=0, atol=1e-5)
            at[s] += 1
    assert at == [12, 12, 12]


def test_a_source_that_is_forgotten_begins_anew() -> None:
    streams, x_1F = CarriedState(causal()), torch.randn(1, 5).numpy()
    first, second = (streams.push(["a"], x_1F, [t])[0] for t in (0, 1))
    assert first is not None and (first != second).any()
    streams.forget("a")
    assert (streams.push(["a"], x_1F, [2])[0] == first).all()


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"bidirectional": True, "pooling": "last"}, "model.bidirectional false"),
        ({"bidirectional": False, "pooling": "mean"}, "model.pooling last"),
    ],
)
def test_what_stands_against_steps_names_the_setting(settings: dict[str, object], remedy: str) -> None:
    network = SequenceClassifier(5, 3, hidden_size=4, **settings)  # type: ignore[arg-type]
    assert remedy in why_not_causal(network)
    with pytest.raises(ValueError, match=remedy):
        network.step(torch.zeros(1, 5), network.initial_state(1))


def test_late_fusion_goes_by_windows() -> None:
    assert "model.fusion early" in why_not_causal(LateFusion([2, 3], 2, hidden_size=4))
