"""How far back each cell can remember: experiment 2 of Hochreiter and Schmidhuber 1997, section 5.2.

Task 2a: the sequence is (y, a_1, ..., a_{p-1}, y) or (x, a_1, ..., a_{p-1}, x); every next symbol is to be
predicted, and the last one agrees with the first, p steps before. What lies between is always the same.

Task 2c: (b, y, distractors, e, y) or (b, x, distractors, e, x) with q + k distractors, k geometric with mean
9, each drawn from p symbols. Only the last symbol is to be predicted, after the trigger e; it agrees with the
second, at least q + 1 steps before. Here p = q, as in the upper half of the paper's table 3.

``--lags`` gives p of task 2a and q of task 2c, the paper's own columns. A run is solved when all output
probabilities are within 0.25 (2a) or 0.2 (2c) of the truth, on both sequences (2a) or on ``--test-sequences``
fresh ones (2c). What differs from the paper, and why, is in docs/cells.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidlstm.models.cells import CELLS
from vidlstm.models.recurrent import RecurrentEncoder, start_keeping

if TYPE_CHECKING:
    from vidlstm.models.cells import State

LAGS = (10, 50, 100, 200, 500, 1000)
WINDOW, FALL = 100, 0.05
"""Task 2a: the error has stopped falling when its mean over so many updates fell by less than this share."""
TOLERANCE = {"2a": 0.25, "2c": 0.2}
PAPER = {
    # Tables 2 and 3: sequences until success; 18 and 20 trials, all successful. BPTT is the plain network.
    ("2a", "lstm_1997", 100): "100 % after 5,040",
    ("2a", "rnn_tanh", 10): "0 % of 5,000,000 (RTRL)",
    ("2a", "rnn_tanh", 100): "0 % of 5,000,000 (BPTT)",
    ("2c", "lstm_1997", 50): "100 % after 30,000",
    ("2c", "lstm_1997", 100): "100 % after 31,000",
    ("2c", "lstm_1997", 200): "100 % after 33,000",
    ("2c", "lstm_1997", 500): "100 % after 38,000",
    ("2c", "lstm_1997", 1000): "100 % after 49,000",
}


@dataclass
class Run:
    """One training run; ``sequences`` is how many it took, or the whole budget where it was not solved."""

    task: str
    cell: str
    lag: int
    seed: int
    solved: bool
    sequences: int
    seconds: float


@dataclass
class Symbols:
    """Symbols read and classes to predict, ``(B, T)`` both; -100 where nothing is to be predicted."""

    read_BT: Tensor
    target_BT: Tensor


def draw_2a(lag: int, first_B: Tensor) -> Symbols:
    """Sequences that begin and end with x or y; symbols 0 to p-2 between, x and y are p-1 and p."""
    between = torch.arange(lag - 1).expand(len(first_B), -1)
    ends = (lag - 1 + first_B)[:, None]
    symbols = torch.cat([ends, between, ends], dim=1)
    return Symbols(symbols[:, :-1], symbols[:, 1:])


def draw_2c(lag: int, first_B: Tensor, generator: torch.Generator) -> Symbols:
    """Distractors are 0 to p-1, then e, b, x, y. One k for the batch: kernels are fast on equal lengths."""
    extra = int(torch.empty(1).geometric_(0.1, generator=generator)) - 1
    symbols = torch.randint(lag, (len(first_B), lag + extra + 3), generator=generator)
    symbols[:, 0] = lag + 1
    symbols[:, 1] = lag + 2 + first_B
    symbols[:, -1] = lag
    target = torch.full_like(symbols, -100)
    target[:, -1] = first_B
    return Symbols(symbols, target)


class Net(nn.Module):
    """One recurrent layer and a linear read-out; in task 2a the outputs see the input too, as in the paper.

    The input is one unit a symbol. Its product with U is one column of U, so the columns are looked up: U is
    the table ``columns``, and the layer's own input weight is the identity and stays it. ``direct`` is the
    table of the weights from input to output.

    In task 2a the cells join once the error has stopped falling, which is the paper's remedy for their abuse
    (section 4, "sequential network construction"). As long as the predictable part gives errors, they make
    the cells a bias of the outputs: C grows at every step, h(C) saturates, and nothing is remembered.
    """

    def __init__(self, task: str, cell: str, lag: int, options: argparse.Namespace) -> None:
        super().__init__()
        inputs, outputs = (lag + 1, lag + 1) if task == "2a" else (lag + 4, 2)
        bias = math.log(lag) if options.forget_bias is None else options.forget_bias
        rows = len(CELLS[cell].blocks) * options.hidden
        self.columns = nn.Embedding(inputs, rows)
        self.encoder = RecurrentEncoder(rows, options.hidden, cell=cell)
        self.head = nn.Linear(options.hidden, outputs)
        self.direct = nn.Embedding(inputs, outputs) if task == "2a" else None
        self.cells_joined = task != "2a"
        self.start_as_the_paper(bias)

    @torch.no_grad()
    def start_as_the_paper(self, bias: float) -> None:
        """Weights in [-0.2, 0.2], no bias but in the gates that let in and keep.

        Those start as in Tallec and Ollivier 2018, "Can recurrent neural networks warp time?", section 3,
        with one time constant for all units: b_f = ln(lag), b_i = -ln(lag). An input gate that starts half
        open lets a thousand distractors in.
        """
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                parameter.uniform_(-0.2, 0.2)
            elif "bias" in name:
                parameter.zero_()
        layer = self.encoder.stack.layers[0]
        layer.U_GF.copy_(torch.eye(len(layer.U_GF))).requires_grad_(False)
        if CELLS[self.encoder.cell].keep_gate:
            start_keeping(self.encoder.stack.layers, bias)
        blocks = layer.cell.blocks
        if "i" in blocks:
            layer.b_G.chunk(len(blocks))[blocks.index("i")].fill_(-bias)

    def forward(self, read_BT: Tensor, state: State | None, wanted_BT: Tensor) -> tuple[Tensor, State]:
        """Scores of the wanted steps ``(N, K)`` and the last state."""
        if self.cells_joined:
            y_BTD, state = self.encoder(self.columns(read_BT), None, state)
        else:
            y_BTD, state = torch.zeros(*read_BT.shape, self.encoder.output_size), ()
        scores_NK = self.head(y_BTD[wanted_BT])
        if self.direct is not None:
            scores_NK = scores_NK + self.direct(read_BT[wanted_BT])
        return scores_NK, state


def draw(task: str, lag: int, batch: int, generator: torch.Generator) -> Symbols:
    """A training batch."""
    first_B = torch.randint(2, (batch,), generator=generator)
    return draw_2a(lag, first_B) if task == "2a" else draw_2c(lag, first_B, generator)


def largest_error(entropies_N: Tensor) -> float:
    """The largest |probability - truth| of any output: 1 - p of the right one, which the others share."""
    return -math.expm1(-float(entropies_N.detach().max()))


def worst_error(net: Net, batch: Symbols) -> float:
    """The largest |probability - truth| over all outputs and all steps that have a target."""
    with torch.no_grad():
        wanted = batch.target_BT >= 0
        scores_NK, _ = net(batch.read_BT, None, wanted)
        return largest_error(F.cross_entropy(scores_NK, batch.target_BT[wanted], reduction="none"))


def learn(
    net: Net, batch: Symbols, optimiser: torch.optim.Optimizer, options: argparse.Namespace
) -> tuple[float, float]:
    """One update, by pieces if truncated.

    Returns:
        The error, which is summed over each sequence and averaged over the batch; and ``largest_error``.
    """
    optimiser.zero_grad()
    steps = batch.read_BT.shape[1]
    piece = options.truncate or steps
    state, summed, worst = None, 0.0, 0.0
    for start in range(0, steps, piece):
        part = slice(start, start + piece)
        wanted = batch.target_BT[:, part] >= 0
        scores_NK, last = net(batch.read_BT[:, part], state, wanted)
        state = tuple(s.detach() for s in last)
        if wanted.any():
            truth_N = batch.target_BT[:, part][wanted]
            entropies_N = F.cross_entropy(scores_NK, truth_N, reduction="none")
            error = entropies_N.sum() / len(wanted)
            torch.autograd.backward(error)
            summed += error.item()
            worst = max(worst, largest_error(entropies_N))
    nn.utils.clip_grad_norm_(net.parameters(), options.clip)
    optimiser.step()
    return summed, worst


def stopped_falling(errors: list[float]) -> bool:
    """Compares the last two windows, whenever one is full."""
    if len(errors) < 2 * WINDOW or len(errors) % WINDOW:
        return False
    return sum(errors[-WINDOW:]) > (1 - FALL) * sum(errors[-2 * WINDOW : -WINDOW])


def passes(net: Net, task: str, lag: int, options: argparse.Namespace) -> bool:
    """The paper's criterion, on sequences that training does not see."""
    if task == "2a":
        return worst_error(net, draw_2a(lag, torch.tensor([0, 1]))) < TOLERANCE[task]
    fresh = torch.Generator().manual_seed(2**31)
    return all(
        worst_error(net, draw(task, lag, 100, fresh)) < TOLERANCE[task]
        for _ in range(math.ceil(options.test_sequences / 100))
    )


def train(task: str, cell: str, lag: int, seed: int, options: argparse.Namespace) -> Run:
    """Trains until solved, or until the budget is spent."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = Net(task, cell, lag, options)
    optimiser = torch.optim.Adam(net.parameters(), lr=options.learning_rate)
    batch = 1 if task == "2a" else options.batch
    began, sequences, solved, errors = time.process_time(), 0, False, []
    while not solved and sequences < options.budget:
        error, worst = learn(net, draw(task, lag, batch, generator), optimiser, options)
        sequences += batch
        if not net.cells_joined:
            errors.append(error)
            net.cells_joined = stopped_falling(errors)
            continue
        solved = worst < TOLERANCE[task] and passes(net, task, lag, options)
    return Run(task, cell, lag, seed, solved, sequences, round(time.process_time() - began, 1))


def table(runs: list[Run], task: str, lags: list[int]) -> str:
    """A Markdown table of one task: how many runs of each cell were solved, after how many sequences."""
    cells = list(dict.fromkeys(run.cell for run in runs))
    head = f"| task {task} | " + " | ".join(f"lag {lag:,}" for lag in lags) + " |"
    lines = [head, "|---" * (len(lags) + 1) + "|"]
    for cell in cells:
        row = [summary([r for r in runs if (r.task, r.cell, r.lag) == (task, cell, lag)]) for lag in lags]
        lines.append(f"| {cell} | " + " | ".join(row) + " |")
        if any((task, cell, lag) in PAPER for lag in lags):
            printed = [PAPER.get((task, cell, lag), "") for lag in lags]
            lines.append(f"| *{cell}, the paper* | " + " | ".join(printed) + " |")
    return "\n".join(lines)


def summary(runs: list[Run]) -> str:
    """Such as ``5/5 after 1,200``: the mean over solved runs, as in the paper."""
    solved = [run.sequences for run in runs if run.solved]
    if not runs:
        return ""
    if not solved:
        return f"0/{len(runs)}"
    return f"{len(solved)}/{len(runs)} after {sum(solved) // len(solved):,}"


def settings_of(options: argparse.Namespace) -> dict[str, object]:
    """What a run depends on besides task, cell, lag and seed."""
    apart = {"cells", "lags", "seeds", "tasks", "quick", "json"}
    return {key: value for key, value in vars(options).items() if key not in apart}


def runs_so_far(options: argparse.Namespace) -> list[Run]:
    """The runs of an interrupted table, where ``--json`` names one made with the same settings."""
    if not options.json or not options.json.is_file():
        return []
    held = json.loads(options.json.read_text())
    if held["settings"] != settings_of(options):
        sys.exit(f"{options.json} was made with other settings ({held['settings']}); name another file")
    return [Run(**run) for run in held["runs"]]


def write(options: argparse.Namespace, runs: list[Run]) -> None:
    """Everything so far, replaced in one go."""
    if options.json:
        part = options.json.with_suffix(".part")
        held = {
            "torch": torch.__version__,
            "settings": settings_of(options),
            "runs": [asdict(r) for r in runs],
        }
        part.write_text(json.dumps(held, indent=1))
        part.replace(options.json)


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--lags", nargs="+", type=int, default=list(LAGS))
    parser.add_argument("--seeds", type=int, default=5, help="runs a cell and lag")
    parser.add_argument("--tasks", nargs="+", default=["2a", "2c"], choices=["2a", "2c"])
    parser.add_argument("--quick", action="store_true", help="lags 10 and 50, two seeds: a few minutes")
    parser.add_argument("--json", type=Path, help="kept up to date after every run; continued if it is there")
    parser.add_argument(
        "--budget", type=int, default=20_000, help="training sequences before a run has failed"
    )
    parser.add_argument("--hidden", type=int, default=8)
    parser.add_argument(
        "--batch", type=int, default=20, help="sequences an update in task 2c; 2a takes one of its two"
    )
    parser.add_argument("--learning-rate", type=float, default=3e-2)
    parser.add_argument("--clip", type=float, default=1.0, help="largest gradient norm")
    parser.add_argument(
        "--forget-bias", type=float, help="of gates that keep, minus that of input gates; without it, ln(lag)"
    )
    parser.add_argument("--truncate", type=int, default=0, help="back-propagate through so many steps only")
    parser.add_argument("--test-sequences", type=int, default=1000, help="the paper takes 10,000")
    options = parser.parse_args()
    if options.quick:
        options.lags, options.seeds, options.budget = [10, 50], 2, 4000
    return options


def main() -> None:
    """Runs what is missing, short lags first, and prints the tables."""
    options = arguments()
    torch.set_num_threads(1)  # the matrices are too small to share
    runs = runs_so_far(options)
    done = {(run.task, run.lag, run.cell, run.seed) for run in runs}
    wanted = product(options.tasks, options.lags, options.cells, range(options.seeds))
    missing = sorted((job for job in wanted if job not in done), key=lambda job: job[1])
    began = time.monotonic()
    for count, (task, lag, cell, seed) in enumerate(missing, 1):
        runs.append(train(task, cell, lag, seed, options))
        write(options, runs)
        spent = time.monotonic() - began
        print(f"[{count}/{len(missing)}, {spent:,.0f} s] {runs[-1]}", file=sys.stderr, flush=True)
    shown = [run for run in runs if run.cell in options.cells]
    print("\n\n".join(table(shown, task, options.lags) for task in options.tasks))


if __name__ == "__main__":
    main()
