"""How far two right answers may lie apart, from the number format and the arithmetic alone.

Another processor adds a product up in another order, fuses multiply and add, and computes ``exp`` and
``tanh`` by another polynomial. Each operation may then differ by a unit in the last place, and in the worst
case the differences of n operations in a row add up: |error| <= n * eps * |largest number| (Higham, Accuracy
and Stability of Numerical Algorithms, 2nd edition, section 3.1). Such a bound holds on any machine; the
largest error that was seen on one does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

SQUASHED = 16
"""Operations in a unit of a recurrent cell beside its products with weights: up to five of ``exp`` or
``tanh``, which kernels compute to two units in the last place, and the products and sums of the gates."""


def recurrence(steps: int, *, layers: int = 1, width: int) -> int:
    """Operations in a row from the first input of a recurrent network to its last output.

    Args:
        steps: of time.
        layers: one over the other.
        width: numbers that a unit reads: inputs, states and biases.
    """
    return steps * layers * (width + SQUASHED)


def rounding(operations: int, dtype: torch.dtype = torch.float32, *, scale: float = 1.0) -> float:
    """The error that may be left of so many operations in a row.

    Args:
        operations: additions, multiplications and function values from an input to a result.
        dtype: what they are computed in.
        scale: the largest number that occurs on the way, or how much an error grows on it.
    """
    return operations * torch.finfo(dtype).eps * scale


def assert_near(found: Any, expected: Any, *, operations: int, largest: float = 1.0) -> None:
    """Like ``torch.testing.assert_close``, with the tolerance of :func:`rounding`.

    Args:
        found, expected: tensors, or the same nesting of tuples, lists and dictionaries of them.
        operations: see :func:`rounding`; the number format is the coarsest of those found.
        largest: numbers beyond it are allowed errors in proportion to themselves.
    """
    dtype = max((t.dtype for t in _tensors(found)), key=lambda dtype: torch.finfo(dtype).eps)
    share = rounding(operations, dtype)
    torch.testing.assert_close(found, expected, rtol=share, atol=share * largest)


def _tensors(nested: Any) -> Iterable[Tensor]:
    if isinstance(nested, Tensor):
        yield nested
    else:
        for part in nested.values() if isinstance(nested, dict) else nested:
            yield from _tensors(part)
