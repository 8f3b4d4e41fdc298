"""Every cell again, unit by unit in Python floats, from its paper: what the fast code must agree with.

Nothing is shared with ``vidlstm.models``. A reference runs one sequence through one layer in one direction.
``w`` holds ``U``, ``W``, ``b`` (rows in the order of the cell's docstring), ``b2`` where torch has a second
bias, and the cell's own parameters under their names.
"""

from __future__ import annotations

import math

import numpy as np


def sigmoid(a: float) -> float:
    return 1.0 / (1.0 + math.exp(-a))


def weighted(row: np.ndarray, values) -> float:
    return sum(float(w) * float(v) for w, v in zip(row, values, strict=True))


def net(w, row, x, h) -> float:
    """What reaches a unit: x U + h W + b."""
    total = weighted(w["U"][row], x) + weighted(w["W"][row], h) + float(w["b"][row])
    return total + (float(w["b2"][row]) if "b2" in w else 0.0)


def elman(squash):
    def run(w, xs, h, c):
        outputs = []
        for x in xs:
            h = [squash(net(w, j, x, h)) for j in range(len(h))]
            outputs.append(h)
        return outputs, (h,)

    return run


def lstm_1997(w, xs, h, c):
    """Hochreiter and Schmidhuber 1997: s_c(t) = s_c(t-1) + y_in g(net_c), y_c = y_out h(s_c)."""
    n, outputs = len(h), []
    for x in xs:
        y_in = [sigmoid(net(w, j, x, h)) for j in range(n)]
        net_c = [net(w, n + j, x, h) for j in range(n)]
        y_out = [sigmoid(net(w, 2 * n + j, x, h)) for j in range(n)]
        c = [c[j] + y_in[j] * (4 * sigmoid(net_c[j]) - 2) for j in range(n)]
        h = [y_out[j] * (2 * sigmoid(c[j]) - 1) for j in range(n)]
        outputs.append(h)
    return outputs, (h, c)


def lstm(w, xs, h, c):
    """Gers, Schmidhuber and Cummins 1999."""
    n, outputs = len(h), []
    for x in xs:
        i, f, g, o = ([net(w, k * n + j, x, h) for j in range(n)] for k in range(4))
        c = [sigmoid(f[j]) * c[j] + sigmoid(i[j]) * math.tanh(g[j]) for j in range(n)]
        h = [sigmoid(o[j]) * math.tanh(c[j]) for j in range(n)]
        outputs.append(h)
    return outputs, (h, c)


def lstm_peephole(w, xs, h, c):
    """Gers and Schmidhuber 2000: input and forget gate see c(t-1), the output gate sees c(t)."""
    n, outputs = len(h), []
    p_i, p_f, p_o = w["peephole"].tolist()
    for x in xs:
        i, f, g, o = ([net(w, k * n + j, x, h) for j in range(n)] for k in range(4))
        old, c = c, []
        for j in range(n):
            gate_i, gate_f = sigmoid(i[j] + p_i[j] * old[j]), sigmoid(f[j] + p_f[j] * old[j])
            c.append(gate_f * old[j] + gate_i * math.tanh(g[j]))
        h = [sigmoid(o[j] + p_o[j] * c[j]) * math.tanh(c[j]) for j in range(n)]
        outputs.append(h)
    return outputs, (h, c)


def gru(w, xs, h, c):
    """Cho et al. 2014, with the reset gate after the product, as torch documents ``nn.GRU``."""
    n, outputs = len(h), []
    for x in xs:
        new = []
        for j in range(n):
            r, z = sigmoid(net(w, j, x, h)), sigmoid(net(w, n + j, x, h))
            row = 2 * n + j
            from_input = weighted(w["U"][row], x) + float(w["b"][row])
            from_state = weighted(w["W"][row], h) + float(w["b2"][row])
            new.append((1 - z) * math.tanh(from_input + r * from_state) + z * h[j])
        h = new
        outputs.append(h)
    return outputs, (h,)


def normalised(values, gain, shift):
    """Ba, Kiros and Hinton 2016, eq. 3-4, with 1e-5 under the root."""
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values) + 1e-5)
    return [a * (v - mean) / spread + b for v, a, b in zip(values, gain, shift, strict=True)]


def lstm_layernorm(w, xs, h, c):
    """Ba, Kiros and Hinton 2016, supplementary material."""
    n, outputs = len(h), []
    zeros = [0.0] * (4 * n)
    for x in xs:
        summed_x = normalised([weighted(row, x) for row in w["U"]], w["input_gain"].tolist(), zeros)
        summed_h = normalised([weighted(row, h) for row in w["W"]], w["recurrent_gain"].tolist(), zeros)
        z = [a + b + float(c_) for a, b, c_ in zip(summed_x, summed_h, w["b"], strict=True)]
        i, f, g, o = (z[k * n : (k + 1) * n] for k in range(4))
        c = [sigmoid(f[j]) * c[j] + sigmoid(i[j]) * math.tanh(g[j]) for j in range(n)]
        read = normalised(c, w["cell_gain"].tolist(), w["cell_shift"].tolist())
        h = [sigmoid(o[j]) * math.tanh(read[j]) for j in range(n)]
        outputs.append(h)
    return outputs, (h, c)


REFERENCES = {
    "rnn_tanh": elman(math.tanh),
    "rnn_relu": elman(lambda a: max(0.0, a)),
    "lstm_1997": lstm_1997,
    "lstm": lstm,
    "lstm_peephole": lstm_peephole,
    "gru": gru,
    "lstm_layernorm": lstm_layernorm,
}


def layer_weights(parameters: dict[str, np.ndarray], layer: int, backward: bool, ways: int):
    """The weights of one layer, read by name from an encoder's ``state_dict``."""
    if any(name.startswith("stack.kernel.") for name in parameters):
        end = f"_l{layer}{'_reverse' if backward else ''}"
        names = {"U": "weight_ih", "W": "weight_hh", "b": "bias_ih", "b2": "bias_hh"}
        return {short: parameters[f"stack.kernel.{name}{end}"] for short, name in names.items()}
    prefix = f"stack.scan_layers.{layer * ways + int(backward)}."
    short = {"weight_input": "U", "weight_hidden": "W", "bias": "b"}
    mine = {k.removeprefix(prefix): v for k, v in parameters.items() if k.startswith(prefix)}
    return {short.get(name, name.removeprefix("own.")): value for name, value in mine.items()}


def run_reference(cell, parameters, x, state=None, *, lengths, layers, bidirectional, hidden_size):
    """A whole encoder, sequence by sequence: y ``(B, T, D * ways)`` and the last state."""
    ways = 2 if bidirectional else 1
    batch, steps = x.shape[:2]
    y = np.zeros((batch, steps, hidden_size * ways))
    last = None
    for b in range(batch):
        read = x[b, : lengths[b]]
        for layer in range(layers):
            outputs = []
            for way in range(ways):
                index = layer * ways + way
                h, c = ([0.0] * hidden_size, [0.0] * hidden_size)
                if state is not None:
                    h, c = state[0][index, b].tolist(), state[-1][index, b].tolist()
                w = layer_weights(parameters, layer, bool(way), ways)
                hs, after = REFERENCES[cell](w, read[::-1] if way else read, h, c)
                outputs.append(np.array(hs[::-1] if way else hs))
                if last is None:
                    last = [np.zeros((layers * ways, batch, hidden_size)) for _ in after]
                for part, value in zip(last, after, strict=True):
                    part[index, b] = value
            read = np.concatenate(outputs, axis=1)
        y[b, : lengths[b]] = read
    return y, last
