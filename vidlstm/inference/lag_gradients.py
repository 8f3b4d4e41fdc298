"""How much an output still depends on what was read long before: the vanishing gradient, measured.

Hochreiter 1991 and Bengio, Simard and Frasconi 1994 derive why the norm of the derivative falls exponentially
with the lag in a plain recurrent network; here it is not derived but taken by back-propagation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from vidlstm.models.recurrent import RecurrentEncoder


def lag_gradients(encoder: RecurrentEncoder, x_BTE: Tensor, *, probes: int = 8, seed: int = 0) -> np.ndarray:
    """The Frobenius norm of d(output at the last step) / d(input at each step), by lag.

    The matrices are not formed: for a vector v of independent standard normal values, the expected square of
    |v J| is the square of J's norm (Hutchinson 1990). One backward pass gives v J for all steps.

    Args:
        encoder: as it is; it is put into float64 and eval mode, and back.
        x_BTE: what it reads; the root mean square over the B sequences is taken.
        probes: vectors a sequence.
        seed: of the vectors.

    Returns:
        ``(T,)`` float64; entry l belongs to the input l steps before the last one.
    """
    training, dtype = encoder.training, next(encoder.parameters()).dtype
    encoder.eval().double()
    x_QTE = x_BTE.double().repeat_interleave(probes, dim=0).requires_grad_()
    y_QTD, _ = encoder(x_QTE)
    generator = torch.Generator().manual_seed(seed)
    v_QD = torch.randn(len(x_QTE), y_QTD.shape[2], generator=generator, dtype=torch.float64)
    (vJ_QTE,) = torch.autograd.grad(y_QTD[:, -1], x_QTE, v_QD)
    encoder.to(dtype).train(training)
    by_step: np.ndarray = vJ_QTE.square().sum(-1).mean(0).sqrt().numpy()
    return by_step[::-1].copy()


def lag_of_fall(norms_T: np.ndarray, share: float) -> int | None:
    """The first lag at which the norm is below a share of its value at lag 0; None where it never is."""
    below = np.flatnonzero(norms_T < share * norms_T[0])
    return int(below[0]) if len(below) else None
