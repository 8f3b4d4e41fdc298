"""The check of a GPU: every stage is run, whatever became of the others, and says how it went."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_gpu.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("gpu_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def checked(script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs stages of small programs; gives the exit status and how each went."""

    def run(*, gpu: bool) -> tuple[int, dict[str, str], dict]:
        def stage(name: str, text: str, seconds: float = 20.0):
            return script.Stage(
                name, ["-S", "-c", text], seconds, lambda found: [script.Figure("x", found["x"], 0.5)]
            )

        writes = "import sys; open(sys.argv[2], 'w').write('{\"x\": %s}')"
        programs = [
            stage("good", writes % 0.5),
            stage("slow", writes % 0.4),
            stage("nan", writes % "NaN"),
            stage("dead", "raise SystemExit(3)"),
            stage("late", "import time; time.sleep(60)", 0.2),
            stage("silent", "pass"),
            stage("last", writes % 1),
        ]
        monkeypatch.setattr(script, "stages", lambda given, gpu: programs)
        monkeypatch.setattr(script.torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(script, "hardware", lambda: {"gpu": "a fake"})
        monkeypatch.setattr(sys, "argv", ["check_gpu.py", "--out", str(tmp_path), "--videos", str(tmp_path)])
        status = script.main()
        report = json.loads((tmp_path / "check_gpu.json").read_text())
        return status, {s["name"]: s["status"] for s in report["stages"]}, report

    return run


def test_a_stage_that_fails_is_told_of_and_the_others_are_run(checked) -> None:
    status, went, report = checked(gpu=True)
    failed = {
        "slow": "not met",
        "nan": "not met",
        "dead": "failed",
        "late": "out of time",
        "silent": "failed",
    }
    assert status == 1
    assert went == {"good": "met", "last": "met"} | failed
    assert report["failed"] == list(failed)
    assert report["hardware"] == {"gpu": "a fake"}
    good, slow = report["stages"][:2]
    assert good["figures"] == [{"name": "x", "value": 0.5, "at_least": 0.5, "met": True}]
    assert slow["figures"][0]["met"] is False


def test_nothing_is_judged_without_a_gpu(checked) -> None:
    status, went, report = checked(gpu=False)
    assert (went["good"], went["slow"], went["dead"]) == ("no GPU", "no GPU", "failed")
    assert status == 1
    assert report["stages"][1]["figures"] == [{"name": "x", "value": 0.4, "at_least": 0.5, "met": None}]


def test_the_stages_take_less_than_eight_minutes(script, tmp_path: Path) -> None:
    given = script.argparse.Namespace(out=tmp_path, videos=None, weights="random")
    for gpu in (True, False):
        assert sum(stage.most_seconds for stage in script.stages(given, gpu=gpu)) < 480


def test_figures_are_read_from_what_the_other_scripts_write(script) -> None:
    rates = [
        ("decode", 40.0),
        ("decode", 90.0),
        ("backbone", 100.0),
        ("backbone", 60.0),
        ("end to end", 72.0),
    ]
    bench = {"stages": [{"stage": name, "frames_per_second": rate} for name, rate in rates]}
    assert script.extraction(bench)[0].value == pytest.approx(0.8)
    config = {"clips_per_second": 3.0, "bare_clips_per_second": 4.0}
    (ratio, *_) = script.training(1.25)({"configs": {"one": config}, "ratio_to_bare": 0.75})
    assert (ratio.value, ratio.at_least) == (0.75, 0.8)
    rows = {cell: {"train_ratio_to_torch_lstm": 0.6} for cell in script.OWN_CELLS}
    assert [figure.value for figure in script.cells(rows)] == [0.6] * 3
