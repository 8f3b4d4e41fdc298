"""The demo and the folder it trains into; the whole of it runs in ``end_to_end``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vidlstm.errors import OutputError
from vidlstm.verbs import demo as verb


class Reached(Exception):
    """Where the training would begin."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each training was to replace an earlier one; nothing is drawn."""
    asked: list[bool] = []

    def story(data: Path, seed: int) -> tuple[Path, list[Any]]:
        data.mkdir(parents=True, exist_ok=True)
        (data / "story.mp4").touch()
        return data / "story.mp4", []

    def train(task: str, *, overwrite: bool, **settings: Any) -> None:
        asked.append(overwrite)
        raise Reached

    monkeypatch.setattr(verb, "draw_dataset", lambda *args, **settings: None)
    monkeypatch.setattr(verb, "draw_story", story)
    monkeypatch.setattr(verb, "train", train)
    return asked


def test_a_second_demo_replaces_the_first(asked: list[bool], tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(Reached):
            verb.demo(tmp_path, device="cpu")
        (tmp_path / "run").mkdir(exist_ok=True)
    assert asked == [False, True]


def test_a_demo_does_not_replace_a_run_of_somebody_s_own(asked: list[bool], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(OutputError, match=r"run is not of an earlier demo, and is not replaced; .*`out`"):
        verb.demo(tmp_path, device="cpu")
    assert not asked and [p.name for p in tmp_path.iterdir()] == ["run"]
