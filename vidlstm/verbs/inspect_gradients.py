"""``inspect gradients``: how fast the gradient vanishes with the lag, in fresh cells and after training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError
from vidlstm.files import check_inputs, files_named, held, make_folder, write_csv
from vidlstm.inference.lag_gradients import lag_gradients
from vidlstm.models.cells import CELLS
from vidlstm.models.fusion import streams_of
from vidlstm.models.recurrent import RecurrentEncoder
from vidlstm.models.trunk import all_steps
from vidlstm.render.plot.gradients import plot_lag_gradients
from vidlstm.settings import Bias, Lags, Seed, Units, path_from, value_from
from vidlstm.tasks import TASKS, open_checkpoint
from vidlstm.verbs.inspect_gates import action_predictor, video_features

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from vidlstm.cards import ActionCard
    from vidlstm.settings import BackboneSettings, SamplingSettings
    from vidlstm.structures import Progress

SEQUENCES = 8


@dataclass(frozen=True, eq=False)
class GradientReport:
    """Norms by lag, ``(T,)``: of every fresh cell, of the checkpoint's networks, and the files written."""

    fresh: dict[str, np.ndarray]
    trained: dict[str, np.ndarray]
    files: list[Path]


def inspect_gradients(
    checkpoint: Path | None = None,
    *,
    out: Path,
    video: Path | None = None,
    steps: int = 200,
    hidden_size: int = 128,
    forget_bias: float | None = None,
    orthogonal: bool = False,
    seed: int = 0,
    store: Path | None = None,
    backbone: BackboneSettings | None = None,
    sampling: SamplingSettings | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> GradientReport:
    """Measures d(output at T) / d(input at t) against the lag T - t.

    Args:
        checkpoint: an action checkpoint, drawn beside the fresh cells, and beside itself before training.
        out: takes ``gradients.png`` and ``gradients.csv``.
        video: what the checkpoint reads; without it, noise with the mean and spread of its training features.
        steps: T; a video's last ones, or all of a shorter video.
        hidden_size: of the fresh cells, one layer each, that read as many normal values.
        forget_bias, orthogonal: how the fresh cells start.
        seed: of weights and noise.
        store, backbone, sampling, device: as for ``predict``; only a video needs them.
        progress: told of the extraction.

    Raises:
        SettingsError: fewer than two steps, or a video without a checkpoint.
        OutputError: a file would be written over an input; nothing was done.
        VidlstmError: see its other subclasses.
    """
    device = str(resolve_device(device))
    out = path_from(out, "out")
    steps = value_from(Lags, steps, name="steps")
    hidden_size = value_from(Units, hidden_size, name="hidden_size")
    forget_bias = value_from(Bias | None, forget_bias, name="forget_bias")
    seed = value_from(Seed, seed, name="seed")
    if video is not None and checkpoint is None:
        raise SettingsError(f"fresh cells read noise; {video} needs the checkpoint that is to read it")
    files = [out / "gradients.png", out / "gradients.csv"]
    check_inputs(files, [path for path in (checkpoint, video, *files_named(backbone)) if path])
    fresh = {}
    for cell, equations in CELLS.items():
        torch.manual_seed(seed)
        encoder = RecurrentEncoder(
            hidden_size,
            hidden_size,
            cell=cell,
            forget_bias=forget_bias if equations.keep_gate else None,
            orthogonal=orthogonal,
        )
        fresh[cell] = lag_gradients(encoder, torch.randn(SEQUENCES, steps, hidden_size), seed=seed)
    make_folder(out)
    trained = {}
    if checkpoint is not None:
        _, opened = open_checkpoint(checkpoint, "action")
        x_BTF = noise_like_training(opened.model, steps, seed=seed)
        if video is not None:
            predictor = action_predictor(opened, backbone, sampling, None, device)
            sequence = video_features(predictor, video, store, out, progress)
            x_BTF = torch.from_numpy(sequence.features[-steps:]).float()[None]
        trained = before_and_after(opened.model.cpu(), opened.card, x_BTF, seed=seed)
    rows = [
        (name, lag, float(norm))
        for name, norms in {**fresh, **trained}.items()
        for lag, norm in enumerate(norms)
    ]
    with held(files[1]):
        plot_lag_gradients(fresh, files[0], others=trained)
        write_csv(("network", "lag", "gradient_norm"), rows, files[1])
    return GradientReport(fresh, trained, files)


def noise_like_training(model: Any, steps: int, *, seed: int) -> Tensor:
    """Features ``(B, T, F)``, each independent, normal, with the mean and spread of the training features."""
    generator, norm = torch.Generator().manual_seed(seed), model.norm
    noise_BTF = torch.randn(SEQUENCES, steps, len(norm.mean), generator=generator)
    like_BTF: Tensor = noise_BTF / norm.scale + norm.mean
    return like_BTF


def before_and_after(model: Any, card: ActionCard, x_BTF: Tensor, *, seed: int) -> dict[str, np.ndarray]:
    """Norms of a trained classifier's encoders, and of those with the same settings before any training."""
    torch.manual_seed(seed)
    fresh: Any = TASKS["action"].build(card).eval()
    lengths_B, norms = all_steps(x_BTF), {}
    for trained, untrained in zip(streams_of(model, x_BTF), streams_of(fresh, x_BTF), strict=True):
        untrained.model.norm.load_state_dict(trained.model.norm.state_dict())
        for name, stream in (("trained", trained), ("untrained", untrained)):
            with torch.no_grad():
                read_BTE = stream.model.encoder_input(stream.x_BTF, lengths_B)
            norms[f"checkpoint ({card.model.cell}), {stream.prefix}{name}"] = lag_gradients(
                stream.model.encoder, read_BTE, seed=seed
            )
    return norms
