"""The demo's dataset of some of its actions: the same clips, and no others drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidlstm.demo import clips


def draw_some(out: Path, *actions: str, figures: int = 3) -> Path:
    """As :func:`vidlstm.demo.clips.draw_dataset` does, whose table is returned."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips, "ACTIONS", actions)
        return clips.draw_dataset(out, figures=figures)
