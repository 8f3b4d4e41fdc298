"""Flags that mean nothing, values out of range and devices that are not there: refused before any work."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import vidlstm
from tests.verbs.checkpoints import CARDS, write
from vidlstm.cli.main import VERBS, main
from vidlstm.cli.parsing import known_keys, parse
from vidlstm.cli.predict import predict_parser
from vidlstm.cli.train import FIRST, train_parser
from vidlstm.errors import SettingsError, WeightsError
from vidlstm.settings import BackboneSettings, PredictSettings, SamplingSettings
from vidlstm.tasks import TASKS
from vidlstm.tasks.object_action.predictor import ObjectActionPredictor
from vidlstm.tasks.predictor import Work
from vidlstm.verbs.predict import check_use

SPEC = {
    "backbone": {
        "backbone": "squeezenet1_1",
        "weights_sha256": "0",
        "dtype": "float32",
        "frame": [224, 224, "squash"],
    }
}
DECIDED = [
    ("backbone.dtype", "bfloat16", "float32"),
    ("backbone.fit", "crop", "squash"),
    ("backbone.size", "100", "224"),
    ("sampling.fps", "5.0", "10.0"),
    ("sampling.image_fps", "5.0", "25.0"),
]
LIGHT = """
import sys
heavy = {"torch", "lightning", "torchvision", "ultralytics", "matplotlib"}
from vidlstm.cli.main import main
for argv in ([], ["predict"], ["evaluate"], ["track"], ["extract"], ["watch"]):
    try:
        main([*argv, "--help"])
    except SystemExit as stop:
        assert stop.code == 0
    print("HEAVY", argv, heavy & set(sys.modules))
"""


def test_help_of_the_verbs_waits_for_no_network_library() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("HEAVY")]
    assert len(found) == 6 and all(line.endswith("set()") for line in found), found


def refused(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    assert main(list(map(str, argv))) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"vidlstm {argv[0]}: ") and said.count("\n") == 1, said
    return said


def test_slips_of_a_newcomer_get_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video, run = tmp_path / "holiday.mp4", tmp_path / "run"
    video.touch()
    assert "there is no --out" in refused(capsys, "predict", "best.ckpt", video)
    said = refused(capsys, "predict", video, "best.ckpt", "--out", run)
    assert "holiday.mp4 is a video; the checkpoint is given first" in said
    only = tmp_path / "clips" / "fight"
    only.mkdir(parents=True)
    for number in range(2):
        (only / f"{number}.mp4").touch()
    said = refused(capsys, "train", "--data.root", only.parent, "--out", run)
    assert "all clips are of one class, fight" in said
    assert not run.exists()


@pytest.mark.parametrize(
    ("task", "flag", "value"),
    [
        ("action", "--classes", "person"),
        ("action", "--weights", "yolo.pt"),
        ("action", "--every", "2"),
        ("action", "--homography", "h.txt"),
        ("object_action", "--sampling.decoder", "pyav"),
        ("object_action", "--every", "2"),
        ("object_action", "--homography", "h.txt"),
        ("trajectory", "--window.seconds", "2"),
        ("trajectory", "--sampling.workers", "1"),
        ("trajectory", "--backbone.weights", "random"),
    ],
)
def test_predict_refuses_a_flag_without_effect(
    task: str, flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "c.ckpt", task)
    said = refused(capsys, "predict", path, "v.mp4", "--out", tmp_path / "out", flag, value)
    assert f"{flag} has no effect on a checkpoint of {task}" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("task", "flag", "value"),
    [
        ("action", "--data.tracks", "t.parquet"),
        ("action", "--data.horizon", "5"),
        ("object_action", "--data.scene", "eth"),
        ("trajectory", "--data.annotations", "a.csv"),
        ("trajectory", "--backbone.weights", "random"),
        ("trajectory", "--sampling.decoder", "pyav"),
    ],
)
def test_evaluate_refuses_a_flag_of_another_task(
    task: str, flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "c.ckpt", task)
    said = refused(capsys, "evaluate", path, "--out", tmp_path / "out", flag, value)
    assert f"{flag} has no effect on a checkpoint of {task}; leave it out" in said
    assert not (tmp_path / "out").exists()


def test_predict_does_not_offer_what_the_checkpoint_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not {name for name, _, _ in DECIDED} & set(known_keys(predict_parser()))
    path = write(tmp_path / "c.ckpt", "action", SPEC)
    for argv in (["predict", path, "v.mp4"], ["evaluate", path], ["inspect", "gates", path, "v.mp4"]):
        for name, value, trained in DECIDED:
            said = refused(capsys, *argv, "--out", tmp_path / "out", f"--{name}", value)
            assert f"--{name} {value}: the checkpoint was trained on {trained}; leave it out" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "value", "trained"), DECIDED)
def test_python_is_refused_what_the_checkpoint_decides(
    name: str, value: str, trained: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "c.ckpt", "action", SPEC)
    section, _, setting = name.partition(".")
    kind = {"backbone": BackboneSettings, "sampling": SamplingSettings}[section]
    plain = float(value) if section == "sampling" else int(value) if setting == "size" else value
    for given in ({setting: plain}, kind(**{setting: plain})):
        with pytest.raises(SettingsError, match=f"was trained on {trained}") as error:
            vidlstm.load(path, **{section: given})
        assert error.value.setting == name
        with pytest.raises(SettingsError, match=f"was trained on {trained}"):
            vidlstm.evaluate(path, out=tmp_path / "out", **{section: given})
    same = {"float32": "float32", "squash": "squash", "224": 224, "10.0": 10, "25.0": 25}[trained]
    with pytest.raises(WeightsError):  # taken: what follows is that the weights are nowhere
        vidlstm.load(path, **{"backbone": {"weights": "none.pth"}, **{section: {setting: same}}})


@pytest.mark.parametrize(
    ("task", "name", "value", "trained"),
    [
        ("action", "validation_fraction", 0.5, "0.2"),
        ("action", "max_seconds", 3.0, "None"),
        ("object_action", "max_gap_seconds", 2.0, "0.5"),
        ("object_action", "minimum_seconds", 2.0, "0.5"),
        ("trajectory", "horizon", 5, "12"),
        ("trajectory", "observed", 5, "8"),
    ],
)
def test_evaluate_drops_no_setting_in_silence(
    task: str, name: str, value: Any, trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "c.ckpt", task)
    said = refused(capsys, "evaluate", path, "--out", tmp_path / "o", f"--data.{name}", str(value))
    assert f"--data.{name} {value}: the checkpoint was trained on {trained}; leave it out" in said
    with pytest.raises(SettingsError, match=f"trained on {trained}"):
        vidlstm.evaluate(path, out=tmp_path / "o", data={name: value})


def test_predict_refuses_what_its_task_has_no_use_for(tmp_path: Path) -> None:
    path = write(tmp_path / "t.ckpt", "trajectory")
    for given in ({"store": tmp_path / "s"}, {"truth": ()}, {"window": {"seconds": 2}}):
        with pytest.raises(SettingsError, match=r"has no effect on a checkpoint of trajectory; leave it out"):
            vidlstm.predict(path, tmp_path / "t.parquet", out=tmp_path / "o", **given)
    for outputs in ("json", ""):
        with pytest.raises(SettingsError, match="`outputs` is a list of suffixes"):
            vidlstm.predict(path, tmp_path / "t.parquet", out=tmp_path / "o", outputs=outputs)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.ckpt"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("0", "a camera is not a file: 0"),
        ("rtsp://host/live", "a stream is not a file"),
    ],
)
@pytest.mark.parametrize("verb", ["predict c.ckpt", "track", "extract"])
def test_what_has_no_end_is_not_a_file(
    verb: str, given: str, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = [] if verb == "extract" else ["--out", tmp_path / "o"]
    assert words in refused(capsys, *verb.split(), given, *out)


VERB_LINES: dict[str, list[str]] = {
    "demo": [],
    "extract": ["v.mp4", "--backbone.weights", "random"],
    "track": ["v.mp4", "--weights", "yolo.pt"],
    "train": ["--data.root", "clips"],
    "evaluate": ["{checkpoint}"],
    "predict": ["{checkpoint}", "v.mp4"],
    "watch": ["{checkpoint}", "v.mp4"],
    "bench": ["v.mp4"],
    "inspect gates": ["{checkpoint}", "v.mp4"],
    "inspect gradients": ["{checkpoint}"],
}
"""``weights`` runs nothing, and takes none."""


@pytest.mark.parametrize("verb", VERB_LINES)
def test_every_verb_takes_a_device_and_refuses_one_that_is_not_there(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = write(tmp_path / "c.ckpt", "action")
    argv = [*verb.split(), *(word.format(checkpoint=checkpoint) for word in VERB_LINES[verb])]
    argv += (
        []
        if verb in ("bench", "extract", "watch")
        else ["--out", "out.parquet" if verb == "track" else "out"]
    )
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--device", "cpu", "--print_config"])
    assert stop.value.code == 0
    assert "device: cpu" in capsys.readouterr().out
    assert "cuda:99 is not on this machine" in refused(capsys, *argv, "--device", "cuda:99")
    assert "did you mean 'cpu'?" in refused(capsys, *argv, "--device", "cpuu")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.ckpt"]


def test_no_verb_is_forgotten() -> None:
    """``import`` and ``weights`` run no network."""
    assert {verb.split()[0] for verb in VERB_LINES} == set(VERBS) - {"import", "weights"}


@pytest.mark.parametrize(
    ("argv", "setting", "value"),
    [
        (["extract", "v.mp4"], "sampling.fps", "0"),
        (["extract", "v.mp4"], "sampling.fps", "nan"),
        (["extract", "v.mp4"], "sampling.workers", "-1"),
        (["extract", "v.mp4"], "backbone.batch_size", "-1"),
        (["track", "v.mp4"], "confidence", "1.5"),
        (["track", "v.mp4"], "lost_seconds", "-1"),
        (["track", "v.mp4"], "fps", "inf"),
        (["train", "--out", "x"], "model.hidden_size", "0"),
        (["train", "--out", "x"], "model.dropout", "1"),
        (["train", "--out", "x"], "data.validation_fraction", "-0.1"),
        (["train", "--out", "x"], "seed", "-1"),
        (["train", "--out", "x", "--task", "object_action"], "data.crop_margin", "1000"),
        (["train", "--out", "x", "--task", "trajectory"], "data.horizon", "0"),
        (["train", "--out", "x", "--task", "trajectory"], "optimiser.average_decay", "1.1"),
        (["predict", "c.ckpt", "v.mp4", "--out", "x"], "window.seconds", "0"),
        (["predict", "c.ckpt", "v.mp4", "--out", "x"], "window.stride_seconds", "-1"),
        (["predict", "c.ckpt", "v.mp4", "--out", "x"], "every", "0"),
        (["evaluate", "c.ckpt", "--out", "x"], "data.batch_size", "0"),
        (["evaluate", "c.ckpt", "--out", "x"], "side", "left"),
        (["train", "--out", "x"], "model.pooling", "median"),
        (["train", "--out", "x"], "data.fold", "one"),
        (["train", "--out", "x"], "resume", "perhaps"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_setting(
    argv: list[str],
    setting: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "c.ckpt", "action")
    said = refused(capsys, *argv, f"--{setting}", value)
    assert f"--{setting}" in said and value.lstrip("-") in said.lower()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.ckpt"]


@pytest.mark.parametrize(("word", "value"), [("1", 1), ("5", 5), ("1.0", 1.0), ("0.5", 0.5), ("null", None)])
@pytest.mark.parametrize("name", ["limit_train_batches", "limit_val_batches"])
def test_one_batch_is_not_all_of_them(name: str, word: str, value: float | None) -> None:
    parsed = parse(train_parser(TASKS["action"]), ["--out", "x", f"--trainer.{name}", word])
    found = vars(parsed.trainer)[name]
    assert (found, type(found)) == (value, type(value))


def test_training_shows_first_what_people_change_first(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for flag in ("--help", "--help_all"):
        with pytest.raises(SystemExit):
            main(["train", flag])
        shown[flag] = capsys.readouterr().out
    assert shown["--help"].count("\n") < 200 < shown["--help_all"].count("\n")
    assert "--help_all lists all settings" in shown["--help"]
    for name in ("--data.root", "--trainer.max_epochs", "--model.hidden_size"):
        assert name in shown["--help"]
    assert (
        "--trainer.sync_batchnorm" not in shown["--help"]
        and "--trainer.sync_batchnorm" in shown["--help_all"]
    )
    known = {key for task in TASKS.values() for key in known_keys(train_parser(task))}
    assert set(FIRST) - known <= {"overwrite"}  # a name that is none shows nothing


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--epochs", "trainer.max_epochs"),
        ("--fps", "sampling.fps"),
        ("--batch_size", "data.batch_size"),
        ("--hidden", "model.hidden_size"),
        ("--modle.cell", "model.cell"),
    ],
)
def test_a_mistyped_flag_names_the_nearest_not_all(
    flag: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "train", "--out", "o", flag, "3")
    assert repr(meant) in said and len(said) < 150
    assert len(refused(capsys, "train", "--out", "o", "--qqqq", "3")) < 100


def test_a_tracks_table_is_no_video_of_an_action_checkpoint() -> None:
    predictor: Any = SimpleNamespace(card=SimpleNamespace(task="action"), kind="action")
    with pytest.raises(SettingsError, match=r"t\.parquet is a tracks table, which a checkpoint of traj"):
        check_use(predictor, [Path("t.parquet")], {}, None)


def test_the_network_that_found_the_objects_is_named_where_none_is_given(tmp_path: Path) -> None:
    card: Any = CARDS["object_action"]
    card = replace(card, objects=replace(card.objects, tracking={"weights_sha256": "abc"}))
    predictor: Any = ObjectActionPredictor.__new__(ObjectActionPredictor)
    predictor.card, predictor.settings = card, PredictSettings()
    with pytest.raises(SettingsError, match=r"give either `weights FILE`.* with the file of SHA-256 abc"):
        predictor.track_all([tmp_path / "v.mp4"], Work(tmp_path))


class NoRoom(io.BytesIO):
    """A file on a full disk."""

    def write(self, content: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("how", ["file", "below a file", "read-only", "full"])
@pytest.mark.parametrize("verb", ["train", "track", "predict", "evaluate", "demo"])
def test_outputs_that_cannot_be_written_are_told_before_the_work(
    verb: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    path, out = write(tmp_path / "c.ckpt", "trajectory"), tmp_path / "new"
    if how in ("file", "below a file"):
        out = tmp_path / "file" / ("x" if how == "below a file" else "")
    elif how == "full":
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **where: NoRoom())
    else:
        monkeypatch.setattr("tempfile.TemporaryFile", refuse_to_write)
    argv: dict[str, list[Any]] = {
        "train": ["--data.root", tmp_path, "--out", out],
        "track": [tmp_path / "v.mp4", "--boxes", tmp_path / "b.txt", "--out", out / "t.parquet"],
        "predict": [path, tmp_path / "t.parquet", "--out", out],
        "evaluate": [path, "--out", out],
        "demo": ["--out", out],
    }
    said = refused(capsys, verb, *argv[verb])
    words = {"read-only": "Read-only file system", "full": "No space left"}.get(
        how, "is a file, not a folder"
    )
    assert words in said and "choose another --out" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.ckpt", "file"]


def refuse_to_write(**where: Any) -> Any:
    raise OSError(errno.EROFS, "Read-only file system")
