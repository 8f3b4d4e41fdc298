"""The drawn dataset: real files, groups by figure, the same under one seed."""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from vidlstm.demo import clips
from vidlstm.demo.actions import ACTIONS, ORDER_PAIR
from vidlstm.demo.clips import draw_dataset
from vidlstm.demo.story import draw_story
from vidlstm.video.reader import open_video


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("drawn"), seed=0, figures=3)


def test_every_clip_of_the_table_decodes(drawn: Path) -> None:
    rows = rows_of(drawn)
    assert len(rows) == 3 * len(ACTIONS)
    for row in rows[:: len(ACTIONS) - 1]:
        with open_video(drawn.parent / row["path"]) as video:
            frames = list(video)
        assert 17 <= len(frames) <= 21
        assert frames[0].image.shape == (256, 256, 3)
        np.testing.assert_allclose(np.diff([f.timestamp_seconds for f in frames]), 0.1, atol=1e-3)


def test_the_pair_decodes_to_nearly_the_same_frames_backwards(drawn: Path) -> None:
    paths = {row["label"]: drawn.parent / row["path"] for row in rows_of(drawn)}
    sit, stand = ([f.image.astype(int) for f in open_video(paths[action])] for action in ORDER_PAIR)
    backwards = [np.abs(a - b).mean() for a, b in zip(sit, stand[::-1], strict=True)]
    forwards = [np.abs(a - b).mean() for a, b in zip(sit, stand, strict=True)]
    assert max(backwards) < 4.0  # what compression does
    assert np.mean(forwards) > 2 * np.mean(backwards)


@pytest.mark.parametrize("figures", [3, 4, 20, 24])
def test_a_figure_is_in_one_split_and_no_split_is_empty(
    figures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "write_take", lambda take, path: None)
    rows = rows_of(draw_dataset(tmp_path, seed=figures, figures=figures, clips_per_figure_and_action=2))
    splits = defaultdict(set)
    for row in rows:
        splits[row["group"]].add(row["split"])
    assert all(len(s) == 1 for s in splits.values())
    assert set.union(*splits.values()) == {"train", "validation", "test"}
    assert len(splits) == figures
    assert len({row["path"] for row in rows}) == len(rows) == figures * len(ACTIONS) * 2
    for split in ("train", "validation", "test"):
        labels = [row["label"] for row in rows if row["split"] == split]
        assert {labels.count(a) for a in ACTIONS} == {len(labels) // len(ACTIONS)}


def test_a_seed_draws_the_same_dataset_again(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table, and one of its clips: only that is drawn again."""
    seen, name, write = [], rows_of(drawn)[4]["path"], clips.write_take
    monkeypatch.setattr(
        clips, "write_take", lambda take, path: write(take, path) if path.name == Path(name).name else None
    )
    again = draw_dataset(tmp_path, seed=0, figures=3, progress=lambda done, total: seen.append((done, total)))
    assert again.read_bytes() == drawn.read_bytes()
    assert seen == [(i + 1, len(ACTIONS) * 3) for i in range(len(ACTIONS) * 3)]
    first, second = ([f.image for f in open_video(root / name)] for root in (drawn.parent, tmp_path))
    np.testing.assert_array_equal(first, second)


def test_too_few_figures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 figures"):
        draw_dataset(tmp_path, figures=2)


@pytest.mark.parametrize("number", [0, 3])
def test_the_story_holds_every_action_once_and_matches_its_truth(number: int, tmp_path: Path) -> None:
    path, truth = draw_story(tmp_path, seed=0, number=number, fps=10.0, seconds_per_action=3.0)
    assert sorted(s.label for s in truth) == sorted(ACTIONS)
    assert truth[0].start_seconds == 0.0
    for before, after in pairwise(truth):
        assert after.start_seconds == pytest.approx(before.end_seconds)
    with open_video(path) as video:
        frames = [f.image.astype(int) for f in video]
    assert len(frames) == pytest.approx(truth[-1].end_seconds * 10, abs=0.5)
    change = np.array([np.abs(a - b).mean() for a, b in pairwise(frames)])
    cuts = sorted(np.argsort(-change)[:2] + 1)
    starts = [round(s.start_seconds * 10) for s in truth]
    assert set(cuts) <= set(starts), "the film cuts where an action begins, and nowhere else"
    rows = rows_of(tmp_path / f"{path.stem}_truth.csv")
    assert [r["label"] for r in rows] == [s.label for s in truth]
    assert float(rows[-1]["end_seconds"]) == pytest.approx(truth[-1].end_seconds, abs=1e-3)
