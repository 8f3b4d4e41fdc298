"""Reports: JSON that other programs can read, tables that no label can break."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.render.examples import HOSTILE
from vidlstm.files import write_json
from vidlstm.render.table.results_table import as_text, results_table


def test_a_report_reads_back_as_plain_values(tmp_path: Path) -> None:
    report = {
        "accuracy": np.float32(0.5),
        "counts": np.arange(3),
        "nan": float("nan"),
        "nested": [{"inf": np.inf, "path": tmp_path, "label": HOSTILE[3]}],
        5: (True, None),
    }
    write_json(report, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == {
        "accuracy": 0.5,
        "counts": [0, 1, 2],
        "nan": None,
        "nested": [{"inf": None, "path": str(tmp_path), "label": HOSTILE[3]}],
        "5": [True, None],
    }


def test_values_without_a_json_form_are_our_mistake(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json({"x": object()}, tmp_path / "r.json")
    assert list(tmp_path.iterdir()) == []


def test_the_table_sets_methods_beside_each_other() -> None:
    rows = {
        "BiLSTM": {"accuracy": 0.97, "pair": 1.0, "clips": 40},
        "logistic regression": {"accuracy": 0.75, "pair": 0.5, "clips": 40},
        "majority class": {"accuracy": 0.125, "pair": float("nan")},
    }
    text = as_text(results_table(rows, title="demo"))
    cells = [[c.strip() for c in line.strip("│").split("│")] for line in text.splitlines() if "│" in line]
    assert cells == [
        ["BiLSTM", "0.970", "1.000", "40"],
        ["logistic regression", "0.750", "0.500", "40"],
        ["majority class", "0.125", "", ""],
    ]


@pytest.mark.parametrize("label", [h for h in HOSTILE if len(h) < 60 and h.isprintable() and h])
def test_markup_in_names_is_written_as_it_is(label: str) -> None:
    text = as_text(results_table({label: {label: 0.5}}, title=label), width=200)
    # Names of rows and columns are words: an underscore is a space.
    assert text.count(label) >= 1 and text.count(label.replace("_", " ").strip()) >= 3


def test_the_best_of_a_column_is_bold() -> None:
    table = results_table({"a": {"x": 0.9}, "b": {"x": 0.1}})
    assert [str(cell.style) for cell in table.columns[1].cells] == ["bold", ""]
