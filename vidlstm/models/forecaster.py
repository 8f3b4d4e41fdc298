"""Observed positions to future ones: an LSTM that corrects constant velocity, to one path and K others.

It knows nothing of losses, files or units; a length is measured in steps of typical length, which is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidlstm.errors import nearest
from vidlstm.models.cells import valid_steps
from vidlstm.models.decoding import AutoregressiveDecoder, DirectDecoder
from vidlstm.models.ego_frame import EgoFrame, ego_frame
from vidlstm.models.recurrent import RecurrentEncoder, Start
from vidlstm.models.social import build_social

DECODINGS = ("direct", "autoregressive")
STANDING = 1.0 / 3.0
"""The ego frame's scale does not fall below this share of a typical step."""
NEIGHBOURHOOD = 9.0
"""Half the side of the social grid, in typical steps: 4 metres for people who walk 0.45 metres a step."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a forecaster says of B paths.

    Attributes:
        path_BPC: the one path.
        modes_BKPC: K paths; K may be 0.
        log_weights_BK: log probabilities of the K paths.
        spread_BKPC: standard deviations, along and across the heading (and of width and height).
        heading_B22: turns world directions into the axes of ``spread_BKPC``.
    """

    path_BPC: Tensor
    modes_BKPC: Tensor
    log_weights_BK: Tensor
    spread_BKPC: Tensor
    heading_B22: Tensor

    def __post_init__(self) -> None:
        batch, modes, horizon, width = self.modes_BKPC.shape
        if self.path_BPC.shape != (batch, horizon, width) or self.log_weights_BK.shape != (batch, modes):
            raise ValueError(f"path {tuple(self.path_BPC.shape)} does not fit {tuple(self.modes_BKPC.shape)}")

    def __repr__(self) -> str:
        return f"Forecast(path {tuple(self.path_BPC.shape)}, modes {tuple(self.modes_BKPC.shape)})"


class PathForecaster(nn.Module):
    """A recurrent forecaster in the ego frame.

    Args:
        horizon: P, steps ahead.
        coordinates: C, 2 for points and 4 for boxes (centre x, centre y, width, height).
        modes: K paths of the mixture; 0 leaves it out.
        cell, hidden_size, num_layers: of the encoder.
        decoding: one of ``DECODINGS``.
        decoder_size: units of the direct decoder's hidden layer.
        social: one of ``SOCIAL``.
        social_size: width of the neighbourhood's embedding.
        forget_bias, orthogonal: how encoder and autoregressive decoder start; see :class:`RecurrentEncoder`.

    Raises:
        ValueError: a name is unknown or a size makes no sense.
    """

    typical_step: Tensor
    spread_scale_P: Tensor

    def __init__(
        self,
        *,
        horizon: int = 12,
        coordinates: int = 2,
        modes: int = 20,
        cell: str = "lstm",
        hidden_size: int = 64,
        num_layers: int = 1,
        decoding: str = "direct",
        decoder_size: int = 128,
        social: str = "none",
        social_size: int = 32,
        forget_bias: float | None = None,
        orthogonal: bool = False,
    ) -> None:
        super().__init__()
        if decoding not in DECODINGS:
            raise ValueError(f"no decoding is called {decoding!r}{nearest(decoding, DECODINGS)}")
        if coordinates not in (2, 4) or horizon < 1 or modes < 0:
            raise ValueError(f"no forecaster of {coordinates} coordinates, {horizon} steps and {modes} modes")
        self.horizon, self.coordinates, self.modes = horizon, coordinates, modes
        self.register_buffer("typical_step", torch.ones(()))
        self.register_buffer("spread_scale_P", torch.ones(horizon))
        self.social = build_social(social, social_size, cell=cell)
        width = 2 * coordinates + 2 + (social_size if self.social is not None else 0)
        start: Start = {"forget_bias": forget_bias, "orthogonal": orthogonal}
        self.encoder = RecurrentEncoder(width, hidden_size, num_layers=num_layers, cell=cell, **start)
        context = hidden_size + 2
        slots = {"slots": 1 + modes, "horizon": horizon, "coordinates": coordinates}
        self.decoder: nn.Module
        if decoding == "direct":
            self.decoder = DirectDecoder(context, hidden=decoder_size, **slots)
        else:
            self.decoder = AutoregressiveDecoder(
                hidden_size, num_layers=num_layers, cell=cell, start=start, **slots
            )
        self.certainty = nn.Sequential(
            nn.Linear(context, decoder_size),
            nn.ReLU(),
            nn.Linear(decoder_size, modes * (1 + horizon * coordinates)),
        )

    def fit(self, typical_step: float) -> None:
        """Takes the median length of a step in the training tracks, in their unit."""
        if not typical_step > 0:
            raise ValueError(f"the typical step must be positive, not {typical_step}")
        self.typical_step.fill_(typical_step)

    def forward(self, x_BTC: Tensor, lengths_B: Tensor, neighbours_BNT2: Tensor | None = None) -> Forecast:
        """Forecasts after observed positions ``(B, T, C)``, right-padded, at least two steps of each valid.

        Args:
            x_BTC: positions in the tracks' unit; any origin that float32 resolves.
            lengths_B: valid steps of each.
            neighbours_BNT2: others at the same steps, NaN where absent; needed where ``social`` is on.
        """
        frame = ego_frame(x_BTC, lengths_B, STANDING * self.typical_step)
        ego_BTC = frame.to_ego(x_BTC)
        features_BUF, overall_B2 = self._features(ego_BTC, lengths_B, frame)
        if self.social is not None:
            assert neighbours_BNT2 is not None, "social pooling needs neighbours"
            around = self._neighbourhood(frame, ego_BTC, neighbours_BNT2)
            features_BUF = torch.cat([features_BUF, around], dim=-1)
        moves_B = lengths_B - 1
        full = bool((moves_B == features_BUF.shape[1]).all())
        y_BUD, state = self.encoder(features_BUF, None if full else moves_B)
        batch = torch.arange(len(x_BTC), device=x_BTC.device)
        context_BE = torch.cat([y_BUD[batch, moves_B - 1], overall_B2], dim=-1)
        velocity_BC = features_BUF[batch, moves_B - 1, : self.coordinates]
        paths_BSPC = self.decoder(context_BE, state, velocity_BC)
        world_BSPC = frame.to_world(paths_BSPC.flatten(1, 2)).view_as(paths_BSPC)
        return self._forecast(world_BSPC, context_BE, frame)

    def _features(self, ego_BTC: Tensor, lengths_B: Tensor, frame: EgoFrame) -> tuple[Tensor, Tensor]:
        """Displacements and positions of each step, and the log of speed and roughness of the whole path."""
        moves_BUC = torch.diff(ego_BTC, dim=1)
        valid_BU = valid_steps(lengths_B - 1, moves_BUC.shape[1])
        speed_B = (frame.scale_B / self.typical_step).log()
        overall_B2 = torch.stack([speed_B, 0.5 * (0.01 + _roughness(moves_BUC, lengths_B)).log()], dim=-1)
        wide_BU2 = overall_B2[:, None].expand(-1, moves_BUC.shape[1], -1)
        features_BUF = torch.cat([moves_BUC, 0.3 * ego_BTC[:, 1:], wide_BU2], dim=-1)
        return features_BUF * valid_BU[..., None], overall_B2

    def _neighbourhood(self, frame: EgoFrame, ego_BTC: Tensor, neighbours_BNT2: Tensor) -> Tensor:
        assert self.social is not None
        ego_BNT2 = frame.to_ego(neighbours_BNT2.flatten(1, 2)).view_as(neighbours_BNT2)
        reach_B = NEIGHBOURHOOD * self.typical_step / frame.scale_B
        around_BUE: Tensor = self.social(ego_BTC[..., :2], ego_BNT2, reach_B)
        return around_BUE

    def _forecast(self, world_BSPC: Tensor, context_BE: Tensor, frame: EgoFrame) -> Forecast:
        # Detached: how sure the network is must not move where it says people go.
        raw = self.certainty(context_BE.detach())
        logits_BK, spread = raw.split([self.modes, self.modes * self.horizon * self.coordinates], dim=-1)
        spread_BKPC = spread.view(len(spread), self.modes, self.horizon, self.coordinates).clamp(-6, 4).exp()
        unit_B111 = frame.scale_B[:, None, None, None]
        return Forecast(
            path_BPC=world_BSPC[:, 0],
            modes_BKPC=world_BSPC[:, 1:],
            log_weights_BK=logits_BK.log_softmax(-1),
            spread_BKPC=spread_BKPC * unit_B111 * self.spread_scale_P[:, None],
            heading_B22=frame.rotation_B22,
        )


def _roughness(moves_BUC: Tensor, lengths_B: Tensor) -> Tensor:
    """Mean size ``(B,)`` of the third difference of positions.

    Near zero for a smooth track, large for a noisy one: how far the last displacement can be trusted.
    """
    if moves_BUC.shape[1] < 3:
        return moves_BUC.new_zeros(len(moves_BUC))
    third_BV: Tensor = torch.linalg.vector_norm(torch.diff(moves_BUC[..., :2], n=2, dim=1), dim=-1)
    valid_BV = valid_steps(lengths_B - 3, third_BV.shape[1])
    return (third_BV * valid_BV).sum(1) / (lengths_B - 3).clamp_min(1)
