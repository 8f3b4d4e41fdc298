"""Tracking and what follows it reach for no network, and write nowhere but where they were told to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def run(allowed: Path, *verbs: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """One after another, in one watched process."""
    temporary = allowed.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"TMPDIR": str(temporary.resolve())}
    argv = [word for verb in verbs for word in (AND, *map(str, verb))][1:]
    command = [sys.executable, "-c", WATCHED, str(allowed), *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    # torch makes an empty folder for its compiler; ours are taken away again.
    assert not [p for p in temporary.rglob("*") if not p.name.startswith("torchinductor")]
    return done


def test_track_stays_at_home_and_the_watch_works(tmp_path: Path) -> None:
    """Boxes and a network, both trackers; at last it is sent elsewhere, and caught."""
    clip, boxes = make_clip(tmp_path / "a.mp4"), det(tmp_path / "det.txt")
    weights = WEIGHTS if WEIGHTS.is_file() else yolo_file("yolo:objects")
    out, sources = tmp_path / "out", [["--boxes", boxes], ["--weights", weights, "--image_size", "96"]]
    home = [
        ["track", clip, *given, "--tracker", tracker, "--out", out / "t.parquet", "--video"]
        for given, tracker in zip(sources, ("bytetrack", "botsort"), strict=True)
    ]
    elsewhere = tmp_path / "elsewhere.parquet"
    done = run(out, *home, ["track", clip, *sources[0], "--out", elsewhere])
    assert done.stdout.count("1 videos tracked") == len(home), done.stderr
    assert sorted(p.name for p in out.iterdir()) == ["a_tracks.mp4", "t.json", "t.parquet"]
    assert done.returncode != 0 and f"wrote to {tmp_path.resolve()}/.vidlstm-" in done.stderr
    assert not elsewhere.exists()


def test_what_each_object_does_is_learned_and_told_at_home(tmp_path: Path) -> None:
    clips, _ = make_clips(tmp_path / "clips", 4)
    tracks = tmp_path / "tracks.parquet"
    write_poses(tracks, clips, lambda clip, person: clip.parent.name == "a")
    out = tmp_path / "out"
    data = ["--data.root", tmp_path / "clips", "--data.tracks", tracks, "--store", out / "store"]
    name = ["--backbone.name", f"track:pose+{PLUGIN}", "--backbone.weights", "random"]
    train = ["train", "--task", "object_action", "--trainer.max_epochs", "1"]
    pose = ["--weights", yolo_file("yolo:pose"), "--image_size", "96"]
    done = run(
        out,
        [*train, *data, *name, "--out", out / "run"],
        ["evaluate", out / "run" / "best.ckpt", *data, "--out", out / "evaluation"],
        ["predict", out / "run" / "best.ckpt", clips[0], *pose, "--out", out / "told"],
    )
    assert done.returncode == 0, done.stderr
    assert (out / "evaluation" / "report.json").is_file()
    names = sorted(p.name for p in (out / "told").iterdir())
    assert names == ["0.csv", "0.json", "0.mp4", "0.png", "tracks.json", "tracks.parquet"]
