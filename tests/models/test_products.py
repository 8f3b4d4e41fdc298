"""The fast products are products."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.tolerance import assert_near, recurrence
from vidlstm.models import products
from vidlstm.models.recurrent import RecurrentEncoder
from vidlstm.models.replay import replay


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [3, 70])
def test_affine_and_its_gradient(bias, rows, monkeypatch) -> None:
    monkeypatch.setattr(products, "ONEDNN_PAYS_FROM", 64 * 8 * 5)  # oneDNN for 70 rows, MKL for 3
    torch.manual_seed(0)
    read = [torch.randn(rows, 5), torch.randn(64, 5)] + ([torch.randn(64)] if bias else [])
    read = [t.requires_grad_() for t in read]
    got = products.affine(*read, *([] if bias else [None]))
    expected = F.linear(*read)
    assert_near(got, expected, operations=6, largest=10.0)
    d = torch.randn_like(got)
    found, wanted = torch.autograd.grad(got, read, d), torch.autograd.grad(expected, read, d)
    assert_near(found, wanted, operations=70, largest=10.0)


def test_low_precision_product_keeps_the_weights_format() -> None:
    torch.manual_seed(0)
    W, a = torch.randn(6, 5), torch.randn(3, 5)
    y = products.product_with(W, 3, torch.bfloat16)(a)
    assert y.dtype == torch.float32
    # Both factors of five products are rounded, and so may the sum be.
    assert_near(y.bfloat16(), (a @ W.T).bfloat16(), operations=3, largest=float((a.abs() @ W.T.abs()).max()))


@pytest.mark.parametrize("cell", ["lstm_1997", "lstm_peephole", "lstm_layernorm"])
def test_the_scan_on_onednn_learns_as_autograd_over_its_steps(cell, monkeypatch) -> None:
    """In float32, with every product on oneDNN, against double precision and torch's own derivatives."""
    monkeypatch.setattr(products, "ONEDNN_PAYS_FROM", 1)
    torch.manual_seed(0)
    model = RecurrentEncoder(20, 16, cell=cell, num_layers=2, bidirectional=True)
    x, lengths = torch.randn(9, 6, 20), torch.randint(1, 7, (9,))
    model(x, lengths)[0].square().mean().backward()
    got = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model = model.double()
    model.zero_grad()
    traces = replay(model.stack, x.double(), lengths)
    torch.cat([trace["h"] for trace in traces[-2:]], dim=-1).square().mean().backward()
    # Forth and back through the scan, and the sum over all steps of all sequences.
    operations = 2 * recurrence(6, layers=2, width=2 * 16 + 16 + 2) + 9 * 6
    for name, parameter in model.named_parameters():
        largest = float(parameter.grad.abs().max())
        assert_near(got[name], parameter.grad.float(), operations=operations, largest=largest)
