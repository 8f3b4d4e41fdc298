"""The ETH/UCY benchmark: its table from results made by hand, and one scene trained and scored."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.fakes.tracks import make_ethucy
from vidlstm.settings import TrajectoryDataSettings, TrajectoryModelSettings

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_ethucy.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("ethucy_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmarks_summary_by_hand(script) -> None:
    def run(scene: str, seed: int, value: float) -> dict[str, Any]:
        keys = ("ade", "fde", "min_ade", "min_fde", "joint_ade", "joint_fde")
        baseline = {"ade": 1.0, "fde": 2.0}
        return {
            "scene": scene,
            "seed": seed,
            **dict.fromkeys(keys, value),
            "baselines": {"constant_velocity": baseline, "least_squares": baseline},
            "validation": {"ade": value},
        }

    runs = [run("eth", 0, 1.0), run("hotel", 0, 3.0), run("eth", 1, 2.0), run("hotel", 1, 6.0)]
    result = script.summarise(runs, ["eth", "hotel"])
    assert result["deterministic"]["scenes"]["eth"] == {"ade": 1.5, "fde": 1.5}
    assert result["deterministic"]["ade"] == 3.0
    assert result["deterministic"]["ade_std"] == pytest.approx(2**0.5)
    assert result["best_of_20"]["fde"] == 3.0
    assert result["constant_velocity"]["fde"] == 2.0
    table = script.ethucy_table(result, script.PUBLISHED)
    assert "| constant velocity | 1.000/2.000 | 1.000/2.000 | 1.000/2.000 |" in table
    assert "0.70/1.52" in table


def test_the_benchmark_trains_and_scores_every_scene(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(workers: int, mp_context: Any) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(workers)  # starting a process takes longer than all the rest

    monkeypatch.setattr(script, "ProcessPoolExecutor", here)
    data = TrajectoryDataSettings(batch_size=32, draws_per_epoch=64)
    model, told = TrajectoryModelSettings(modes=2, hidden_size=8, decoder_size=16), list[str]()
    how: dict[str, Any] = {"data": data, "model": model, "progress": told.append}
    found = script.benchmark_ethucy(
        make_ethucy(tmp_path / "data"), tmp_path, seeds=1, scenes=["zara1"], epochs=1, workers=1, **how
    )
    assert (tmp_path / "zara1_0" / "best.ckpt").is_file()
    assert found["deterministic"]["ade"] == found["runs"][0]["ade"] > 0
    assert found["constant_velocity"]["scenes"]["zara1"]["fde"] > 0
    assert told[0].startswith("zara1  seed 0  ade ")
