"""``bench``: every stage is measured on the videos given, against one limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import vidlstm
from tests.fakes.videos import write_video
from tests.features.tiny import tiny_backbone
from tests.verbs.test_watch import predictor
from vidlstm.backbones.cpu import available_cores
from vidlstm.cli.main import main
from vidlstm.errors import SettingsError, VideoError
from vidlstm.features.costs import Spent, limit_of
from vidlstm.verbs import bench as bench_module
from vidlstm.video.piece import piece_of


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for i in range(3):
        write_video(root / f"{i}.mp4", seed=i, frames=40, height=48, width=64, fps=20)
    return root


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        bench_module,
        "build_backbone",
        lambda how, **_: tiny_backbone(dtype=how.dtype.replace("auto", "float32")),
    )
    monkeypatch.setattr(bench_module, "TRAINED_ON_A_CPU", (1, 2))


def test_the_limit_is_every_core_and_the_device_busy() -> None:
    decode, network = Spent(wall=1.0, cpu=2.0, frames=100), Spent(wall=1.0, cpu=0.5, frames=50)
    assert limit_of([decode, network]) == pytest.approx(available_cores() / (0.02 + 0.01))
    assert limit_of([decode, network], [network]) == pytest.approx(min(available_cores() / (0.02 + 0.01), 50))


def test_a_piece_is_the_beginning_of_a_video(videos: Path, tmp_path: Path) -> None:
    piece = piece_of(videos / "0.mp4", 1.0, tmp_path)
    with vidlstm.open_video(piece) as cut, vidlstm.open_video(videos / "0.mp4") as whole:
        frames = list(cut)
        assert 20 <= len(frames) <= 22
        assert (frames[5].image == list(whole)[5].image).all()
    assert piece_of(videos / "0.mp4", 60.0, tmp_path) == videos / "0.mp4"
    assert piece_of(tmp_path / "none.mp4", 1.0, tmp_path) == tmp_path / "none.mp4"
    assert list(tmp_path.iterdir()) == [piece]


@pytest.mark.usefixtures("tiny")
def test_the_command_line_measures_extraction_and_writes_what_was_fastest(
    videos: Path, tmp_path: Path, capsys: Any
) -> None:
    found, chart, config = tmp_path / "found.json", tmp_path / "chart.png", tmp_path / "fast.yaml"
    files = ["--json", str(found), "--chart", str(chart), "--apply", str(config)]
    assert main(["bench", str(videos), "--seconds", "0.5", "--device", "cpu", *files]) == 0
    report = json.loads(found.read_text())
    stages = {(s["stage"], s["how"].split(",")[0]): s for s in report["stages"]}
    assert {("decode", "pyav"), ("decode", "opencv"), ("backbone", "float32")} <= stages.keys()
    whole = stages["end to end", "decode"]
    assert stages["decode", "pyav"]["frames"] == 3 * 5  # 0.5 s of each
    assert whole["frames"] >= 3 * 5  # a piece ends with the first packet beyond
    assert report["figures"]["ratio_to_limit"] == pytest.approx(
        whole["frames_per_second"] / report["figures"]["limit_frames_per_second"]
    )
    assert chart.stat().st_size > 5_000
    applied = yaml.safe_load(config.read_text())
    assert applied["backbone"]["batch_size"] == 32 and applied["sampling"]["decoder"] in ("auto", "opencv")
    printed = capsys.readouterr().out
    sizes = [stage["how"] for stage in report["stages"] if stage["stage"] == "training"]
    best = report["figures"]["training_batch_size"]
    assert f"batch {best}" in sizes and f"--data.batch_size {best} " in printed
    assert "limit: " in printed and "--backbone.dtype" in printed
    assert all(len(line) <= 80 for line in printed.splitlines() if not line.startswith(str(tmp_path)))
    with pytest.raises(SystemExit) as stop:  # what was written is a config that `extract` takes
        main(["extract", str(videos), "--config", str(config), "--print_config"])
    assert stop.value.code == 0


@pytest.mark.parametrize("causal", [True, False])
def test_a_checkpoint_is_watched_with(causal: bool, videos: Path, tmp_path: Path) -> None:
    how = {"bidirectional": False, "pooling": "last"} if causal else {}
    report = vidlstm.bench(videos, checkpoint=predictor(tmp_path, **how), seconds=0.5 if causal else 1.4)
    assert [s.stage for s in report.stages] == ["decode", "backbone", "recurrent", "watch"]
    assert report.figures["streams"] == pytest.approx(report.figures["frames_per_second"] / 10)
    assert report.stages[3].frames > 0 and report.figures["age_p99_ms"] >= report.figures["age_p50_ms"] > 0


def test_what_cannot_be_read_is_listed_and_the_rest_measured(videos: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    model = predictor(tmp_path, bidirectional=False, pooling="last")
    with pytest.raises(VideoError, match="broken"):
        vidlstm.bench(broken, checkpoint=model)
    report = vidlstm.bench([broken, videos / "0.mp4"], checkpoint=model, seconds=0.3)
    assert len(report.failures) == 1 and "broken.mp4" in report.failures[0]
    assert report.stages[0].frames > 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["{videos}", "--json", "{videos}/0.mp4"], "0.mp4"),
        (["run.ckpt"], "no video"),
        (["run.ckpt", "{videos}", "--apply", "x.yaml"], "--apply"),
        (["{videos}", "--seconds", "0"], "--seconds"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(
    argv: list[str], said: str, videos: Path, capsys: Any
) -> None:
    assert main(["bench", *(word.format(videos=videos) for word in argv)]) == 2
    assert said in capsys.readouterr().err


def test_what_is_read_is_never_written_over_and_each_output_has_a_file(tmp_path: Path, capsys: Any) -> None:
    config, same = tmp_path / "a.yaml", str(tmp_path / "x")
    config.write_text("seconds: 1\n")
    words = ["bench", str(tmp_path / "a.mp4"), "--config", str(config)]
    for flags, said in (
        (["--apply", str(config)], "is an input and would be overwritten"),
        (["--json", same, "--chart", same], "named twice"),
        (["--json", str(tmp_path)], "is a folder"),
    ):
        assert main([*words, *flags]) == 2 and said in capsys.readouterr().err
    assert config.read_text() == "seconds: 1\n"


def test_a_network_that_no_stream_has_is_refused_before_anything_is_measured(videos: Path) -> None:
    class Forecasts:
        def streams(self) -> None:
            raise SettingsError("a checkpoint of trajectory follows objects")

    said: list[str] = []
    with pytest.raises(SettingsError, match="follows objects"):
        vidlstm.bench(videos, checkpoint=Forecasts(), step=said.append)  # type: ignore[arg-type]
    assert not said
