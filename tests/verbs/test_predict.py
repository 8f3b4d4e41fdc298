"""Which outputs ``predict`` writes, and that one video's trouble is not another's."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import vidlstm
from vidlstm.cli.main import main
from vidlstm.errors import OutputError, SettingsError, StoreError
from vidlstm.files import held
from vidlstm.render.sinks import SINKS


def two(clips: Path) -> list[Path]:
    return [clips / "data" / "a" / "0.mp4", clips / "data" / "b" / "1.mp4"]


def flags(clips: Path, out: Path) -> list[str]:
    return ["--store", str(clips / "store"), "--out", str(out)]


def test_the_outputs_that_are_asked_for_are_written_and_no_others(
    clips: Path, classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["predict", str(classifier), *map(str, two(clips)), *flags(clips, tmp_path / "out")]
    assert main([*argv, "--outputs", "json,csv"]) == 0
    names = ["0.csv", "0.json", "1.csv", "1.json"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    told = capsys.readouterr().out.splitlines()
    assert sorted(Path(line).name for line in told if line.endswith(("csv", "json"))) == names
    assert main([*argv, "--outputs", "mp4", "--video", "false"]) == 0
    assert (tmp_path / "out" / "1.mp4").is_file(), "--outputs has the last word"


@pytest.mark.parametrize(
    ("outputs", "hint"), [("jsn", "did you mean 'json'?"), ("csv,parquet", "allowed: csv,")]
)
def test_an_unknown_output_names_the_nearest_before_any_work(
    outputs: str, hint: str, clips: Path, classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["predict", str(classifier), *map(str, two(clips)), *flags(clips, tmp_path / "out")]
    assert main([*argv, "--outputs", outputs]) == 2
    assert hint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_stays_with_its_video(
    clips: Path, classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / "0.csv").mkdir(parents=True)  # in the way
    argv = ["predict", str(classifier), *map(str, two(clips)), *flags(clips, tmp_path / "out")]
    assert main([*argv, "--video", "false"]) == 1
    said = capsys.readouterr()
    assert "0.csv" in said.err and "failed" in said.err and "1.csv" not in said.err
    files = {p.name for p in (tmp_path / "out").iterdir() if p.is_file()}
    assert files == {"0.json", "0.png", "1.csv", "1.json", "1.png"}
    assert {Path(line).name for line in said.out.splitlines() if "out" in line} >= files


def test_an_output_from_outside_that_fails_stays_with_its_video(
    clips: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_text(said: Any, stem: Path, material: Any) -> list[Path]:
        if stem.name == "0":
            raise RuntimeError("it was not meant to be")
        stem.with_suffix(".txt").write_text("x")
        return [stem.with_suffix(".txt")]

    monkeypatch.setitem(SINKS, ("action", "txt"), as_text)
    out = tmp_path / "out"
    report = vidlstm.predict(
        classifier, two(clips), out=out, outputs=["txt", "csv"], store=clips / "store", device="cpu"
    )
    said = [(f.path, f.reason, f.detail) for f in report.failures]
    assert said == [(two(clips)[0], "unwritable", "RuntimeError: it was not meant to be")]
    assert report.files == [out / name for name in ("0.csv", "1.txt", "1.csv")]


def test_what_goes_wrong_with_one_video_before_it_is_written_stays_with_it(
    clips: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = vidlstm.load(classifier, device="cpu")
    windows, errors = model.windows, [StoreError("damaged"), MemoryError()]  # type: ignore[attr-defined]

    def fail_at_first(video: str, sequence: Any) -> Any:
        if errors and Path(video).name == "0.mp4":
            raise errors.pop()
        return windows(video, sequence)

    monkeypatch.setattr(model, "windows", fail_at_first)
    for detail in ("it takes more memory than there is", "damaged"):
        report = vidlstm.predict(model, two(clips), out=tmp_path, outputs=["csv"], store=clips / "store")
        assert [(f.path, f.detail) for f in report.failures] == [(two(clips)[0], detail)]
        assert report.files == [tmp_path / "1.csv"]


def test_outputs_that_another_run_is_writing_are_left_to_it(
    clips: Path, classifier: Path, tmp_path: Path
) -> None:
    with held(tmp_path / "0"):
        report = vidlstm.predict(
            classifier, two(clips), out=tmp_path, outputs=["csv"], store=clips / "store", device="cpu"
        )
    assert ["another run is writing it" in f.detail for f in report.failures] == [True]
    assert report.files == [tmp_path / "1.csv"]


def test_a_video_of_one_frame_lasts_as_long_as_a_step(clips: Path, classifier: Path) -> None:
    model = vidlstm.load(classifier, device="cpu")
    said = model.predict(np.zeros((1, 32, 32, 3), np.uint8), fps=25)
    assert [(s.start_seconds, s.end_seconds) for s in said.segments] == [(0.0, 1 / model.card.fps)]  # type: ignore[attr-defined]
    assert said.window_end_seconds.tolist() == [1 / model.card.fps]  # type: ignore[attr-defined]


def test_the_report_of_python_says_all_of_it(clips: Path, classifier: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    model = vidlstm.load(classifier, window={"seconds": 0.5}, device="cpu")
    report = vidlstm.predict(model, [bad, two(clips)[0]], out=tmp_path / "out", outputs=["csv"])
    assert report.task == "action"
    assert [(f.path, f.reason) for f in report.failures] == [(bad, "unreadable")]
    assert report.files == [tmp_path / "out" / "0.csv"]
    with pytest.raises(ValueError, match=r"give load\(\) window"):
        vidlstm.predict(model, two(clips), out=tmp_path / "out", window={"seconds": 1})
    (found,) = report.predictions
    again = model.predict(two(clips)[0])
    assert found.segments == again.segments
    np.testing.assert_array_equal(found.window_probabilities, again.window_probabilities)
    assert np.diff(found.window_start_seconds).max() < 0.3, "a quarter of the window that was given"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.csv"], "no features are left"


def test_nothing_is_written_over_what_is_read(clips: Path, classifier: Path) -> None:
    before = two(clips)[0].read_bytes()
    with pytest.raises(OutputError, match=r"0\.mp4: is an input and would be overwritten"):
        vidlstm.predict(classifier, clips / "data" / "a", out=clips / "data" / "a")
    assert two(clips)[0].read_bytes() == before
    assert sorted(p.name for p in two(clips)[0].parent.iterdir()) == [f"{i}.mp4" for i in (0, 2, 4, 6)]
    vidlstm.predict(classifier, two(clips)[0], out=two(clips)[0].parent, outputs=["csv"])  # beside it is fine
    (two(clips)[0].parent / "0.csv").unlink()


def test_words_that_are_no_options_are_refused(clips: Path, classifier: Path, tmp_path: Path) -> None:
    for options, message in (
        ({"windows": {}}, "windows"),
        ({"window": {"second": 1}}, "did you mean 'seconds'"),
        ({"window": {"seconds": 0}}, "`window.seconds` must be"),
        ({"device": "cuda:99"}, "cuda:99 is not on this machine"),
    ):
        with pytest.raises(SettingsError, match=message):
            vidlstm.predict(classifier, two(clips), out=tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("ray_cluster")
def test_a_cluster_predicts_what_one_machine_does(clips: Path, classifier: Path, tmp_path: Path) -> None:
    folder, argv = clips / "data" / "b", ["predict", str(classifier), "--video", "false", "--device", "cpu"]
    assert main([*argv, str(folder), "--out", str(tmp_path / "one")]) == 0
    assert main([*argv, str(folder), "--out", str(tmp_path / "many"), "--engine", "ray"]) == 0
    one, many = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "many"))
    assert one == many


def test_an_engine_is_refused_where_there_is_no_video(
    forecaster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    argv = ["predict", str(forecaster), str(tmp_path / "t.parquet"), "--out", str(tmp_path / "out")]
    (tmp_path / "t.parquet").touch()
    assert main([*argv, "--engine", "ray"]) == 2
    assert "--engine ray: it works through videos, and" in capsys.readouterr().err
