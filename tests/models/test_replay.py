"""The recorded gates are those the fast code used."""

from __future__ import annotations

import pytest
import torch

from tests.tolerance import assert_near, recurrence
from vidlstm.models.cells import CELLS, valid_steps
from vidlstm.models.recurrent import RecurrentEncoder
from vidlstm.models.replay import replay

EVERY_CELL = pytest.mark.parametrize("cell", CELLS)
LENGTHS = torch.tensor([4, 7, 1])
OPERATIONS = recurrence(7, layers=2, width=2 * 6 + 6 + 2)


def recorded(cell, bidirectional, lengths=LENGTHS, state=None):
    torch.manual_seed(0)
    model = RecurrentEncoder(5, 6, cell=cell, num_layers=2, bidirectional=bidirectional, dropout=0.5).eval()
    x = torch.randn(3, 7, 5)
    with torch.no_grad():
        return model(x, lengths, state), replay(model.stack, x, lengths, state), model


@EVERY_CELL
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [LENGTHS, None])
def test_replay_gives_what_the_kernel_gave(cell, bidirectional, lengths) -> None:
    torch.manual_seed(3)
    state = tuple(torch.randn(4 if bidirectional else 2, 3, 6) for _ in CELLS[cell].state_names)
    (y, last), traces, _ = recorded(cell, bidirectional, lengths, state)
    ways = 2 if bidirectional else 1
    assert len(traces) == 2 * ways
    assert_near(torch.cat([t["h"] for t in traces[-ways:]], dim=-1), y, operations=OPERATIONS)
    ends = [7, 7, 7] if lengths is None else lengths.tolist()
    for index, trace in enumerate(traces):
        backward = bidirectional and index % 2
        for part, name in zip(last, CELLS[cell].state_names, strict=True):
            at_end = torch.stack([trace[name][b, 0 if backward else ends[b] - 1] for b in range(3)])
            assert_near(at_end, part[index], operations=OPERATIONS)


@EVERY_CELL
def test_every_gate_is_there_and_silent_in_padding(cell) -> None:
    _, traces, _ = recorded(cell, bidirectional=True)
    valid = valid_steps(LENGTHS, 7)
    for trace in traces:
        assert set(trace) == set(CELLS[cell].blocks) | set(CELLS[cell].state_names)
        for name, value in trace.items():
            assert value.shape == (3, 7, 6)
            assert (value[~valid] == 0).all()
            if name in {"i", "f", "o", "r", "z"}:
                assert ((value[valid] > 0) & (value[valid] < 1)).all()


def test_recorded_gates_satisfy_the_equations() -> None:
    """C_t = f ∘ C_{t-1} + i ∘ g and h_t = o ∘ tanh(C_t), from the recorded numbers alone."""
    _, traces, _ = recorded("lstm", bidirectional=False)
    for t in traces:
        before = torch.cat([torch.zeros(3, 1, 6), t["c"][:, :-1]], dim=1)
        valid = valid_steps(LENGTHS, 7)[..., None]
        torch.testing.assert_close((t["f"] * before + t["i"] * t["g"]) * valid, t["c"])
        torch.testing.assert_close(t["o"] * torch.tanh(t["c"]), t["h"])
