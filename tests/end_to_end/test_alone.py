"""Tracking and what follows it reach for no network, and write nowhere but where they were told to."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backbones.networks import PLUGIN, yolo_file
from tests.fakes.tracked_clips import make_clips, write_poses
from tests.tracking.test_mot_boxes import det
from tests.video.clips import SHARED, make_clip

WEIGHTS = SHARED.parents[1] / "weights" / "yolo26n.pt"

WATCHED = """
import os, sys
allowed = (os.path.realpath(sys.argv[1]), os.environ["TMPDIR"], "/dev/")
writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def watch(event, args):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        raise RuntimeError(f"reached for the network: {event} {args}")
    if event == "open" and isinstance(args[0], (str, bytes)) and args[2] & writes:
        path = os.path.realpath(os.fsdecode(args[0]))
        if not path.startswith(allowed) and not os.path.isdir(path):  # there: a file without a name
            raise RuntimeError(f"wrote to {path}")
sys.addaudithook(watch)
sys.dont_write_bytecode = True
from vidlstm.cli.main import main
for argv in " ".join(sys.argv[2:]).split(" && "):
    if status := main(argv.split(" ")):
        sys.exit(status)
"""
AND = "&&"


@dataclass(frozen=True)
class Told:
    """What the watched process said, and where it was allowed to write."""

    done: subprocess.CompletedProcess[str]
    out: Path
    elsewhere: Path


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """All verbs one after another, in one watched process; the last is sent elsewhere."""
    root = tmp_path_factory.mktemp("alone")
    verbs = [*of_objects(root), *of_tracks(root)]
    temporary = root / "tmp"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary.resolve())}
    argv = [word for verb in verbs for word in (AND, *map(str, verb))][1:]
    command = [sys.executable, "-c", WATCHED, str(root / "out"), *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    # torch makes an empty folder for its compiler; ours are taken away again.
    assert not [p for p in temporary.rglob("*") if not p.name.startswith("torchinductor")]
    return Told(done, root / "out", root / "elsewhere.parquet")


def of_objects(root: Path) -> list[list[str | Path]]:
    """Trains, evaluates and predicts what each object does."""
    clips, _ = make_clips(root / "clips", 4)
    tracks, run = root / "tracks.parquet", root / "out" / "run"
    write_poses(tracks, clips, lambda clip, person: clip.parent.name == "a")
    one = ["--sampling.workers", "1"]
    data = ["--data.root", root / "clips", "--data.tracks", tracks, "--store", root / "out" / "store", *one]
    name = ["--backbone.name", f"track:pose+{PLUGIN}", "--backbone.weights", "random"]
    pose = ["--weights", yolo_file("yolo:pose"), "--image_size", "96"]
    return [
        ["train", "--task", "object_action", "--trainer.max_epochs", "1", *data, *name, "--out", run],
        ["evaluate", run / "best.ckpt", *data, "--out", root / "out" / "evaluation"],
        ["predict", run / "best.ckpt", clips[0], *pose, "--out", root / "out" / "told"],
    ]


def of_tracks(root: Path) -> list[list[str | Path]]:
    """Boxes and a network, both trackers; at last it is sent elsewhere, to be caught."""
    clip, boxes = make_clip(root / "a.mp4"), det(root / "det.txt")
    weights = WEIGHTS if WEIGHTS.is_file() else yolo_file("yolo:objects")
    out, sources = root / "out", [["--boxes", boxes], ["--weights", weights, "--image_size", "96"]]
    home = [
        ["track", clip, *given, "--tracker", tracker, "--out", out / "tracked" / "t.parquet", "--video"]
        for given, tracker in zip(sources, ("bytetrack", "botsort"), strict=True)
    ]
    return [*home, ["track", clip, *sources[0], "--out", root / "elsewhere.parquet"]]


def test_track_stays_at_home_and_the_watch_works(told: Told) -> None:
    assert told.done.stdout.count("1 videos tracked") == 2, told.done.stderr
    assert sorted(p.name for p in (told.out / "tracked").iterdir()) == ["a_tracks.mp4", "t.json", "t.parquet"]
    place = f"wrote to {told.elsewhere.parent.resolve()}/.vidlstm-"
    assert told.done.returncode != 0 and place in told.done.stderr
    assert not told.elsewhere.exists()


def test_what_each_object_does_is_learned_and_told_at_home(told: Told) -> None:
    assert (told.out / "evaluation" / "report.json").is_file(), told.done.stderr
    assert (told.out / "told").is_dir(), told.done.stderr
    names = sorted(p.name for p in (told.out / "told").iterdir())
    assert names == ["0.csv", "0.json", "0.mp4", "0.png", "tracks.json", "tracks.parquet"]
