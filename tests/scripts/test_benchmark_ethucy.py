"""The table of the ETH/UCY benchmark, from results made by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

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
