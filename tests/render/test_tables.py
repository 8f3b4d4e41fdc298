"""Tables are written whole, and read back equal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.render.examples import HOSTILE, prediction, same
from vidlstm.errors import OutputError
from vidlstm.files import atomic, write_csv, write_text
from vidlstm.render.table.action_tables import (
    SCHEMA,
    read_prediction_json,
    read_segments_csv,
    write_prediction_csv,
    write_prediction_json,
    write_segments_csv,
)
from vidlstm.structures import ActionPrediction, Segment


@pytest.mark.parametrize("windows", [0, 1, 8])
@pytest.mark.parametrize("names", [("only",), ("a", "b", "c"), HOSTILE], ids=["one", "three", "hostile"])
def test_json_reads_back_equal(names: tuple[str, ...], windows: int, tmp_path: Path) -> None:
    said = prediction(names, windows=windows, video="odd näme\n$.avi")
    write_prediction_json(said, tmp_path / "p.json")
    assert same(read_prediction_json(tmp_path / "p.json"), said)


@given(
    numbers=st.lists(st.floats(0, 1e6, allow_nan=False), min_size=2, max_size=2, unique=True),
    label=st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
    probability=st.floats(0, 1),
)
def test_any_segment_reads_back_equal(
    numbers: list[float], label: str, probability: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    segment = Segment(min(numbers), max(numbers), label, probability)
    said = ActionPrediction("v", (label,), np.zeros(0), np.zeros(0), np.zeros((0, 1)), (segment,), {})
    write_prediction_json(said, folder / "p.json")
    assert same(read_prediction_json(folder / "p.json"), said)
    # Not every CSV reader keeps a carriage return or a NUL.
    if not set(label) & set("\r\x00"):
        write_prediction_csv(said, folder / "p.csv")
        assert tuple(read_segments_csv(folder / "p.csv")) == said.segments


def test_float32_probabilities_keep_their_values(tmp_path: Path) -> None:
    said = prediction()
    narrow = ActionPrediction(
        **{**said.__dict__, "window_probabilities": said.window_probabilities.astype(np.float32)}
    )
    write_prediction_json(narrow, tmp_path / "p.json")
    np.testing.assert_array_equal(
        read_prediction_json(tmp_path / "p.json").window_probabilities, narrow.window_probabilities
    )


def test_json_is_as_documented(tmp_path: Path) -> None:
    """The keys of the file are those of the example and the table in docs/predictions.md."""
    write_prediction_json(prediction(), tmp_path / "p.json")
    record = json.loads((tmp_path / "p.json").read_text())
    document = (Path(__file__).parents[2] / "docs" / "predictions.md").read_text(encoding="utf-8")
    example = json.loads(document.split("```json\n")[1].split("```")[0])
    assert list(record) == list(example)
    assert next(iter(record)) == "schema"
    assert record["schema"] == example["schema"] == SCHEMA
    for key in ("segments", "windows"):
        assert list(record[key][0]) == list(example[key][0])
    assert all(f"`{key}`" in document for key in record)


def test_json_has_a_line_for_each_window(tmp_path: Path) -> None:
    write_prediction_json(prediction(windows=30), tmp_path / "p.json")
    assert len((tmp_path / "p.json").read_text().splitlines()) < 30 + 20


def test_a_probability_that_is_not_known_is_null_and_reads_back(tmp_path: Path) -> None:
    """JSON has no word for NaN; ``vidlstm.files`` has one rule for it."""
    said = prediction()
    said.window_probabilities[0, 0] = np.nan
    said = replace(said, segments=(replace(said.segments[0], probability=float("nan")), *said.segments[1:]))
    write_prediction_json(said, tmp_path / "p.json")
    record = json.loads((tmp_path / "p.json").read_text(), parse_constant=pytest.fail)
    assert record["windows"][0]["probabilities"][0] is record["segments"][0]["probability"] is None
    found = read_prediction_json(tmp_path / "p.json")
    np.testing.assert_array_equal(found.window_probabilities, said.window_probabilities)
    assert np.isnan(found.segments[0].probability) and found.segments[1:] == said.segments[1:]


def with_segment(times: str) -> str:
    start, end = times.split(", ")
    segment = f'{{"start_seconds": {start}, "end_seconds": {end}, "label": "a", "probability": 1}}'
    rest = '"video": "v", "truncated": "", "labels": ["a"], "windows": [], "produced_by": {}'
    return f'{{"schema": "{SCHEMA}", {rest}, "segments": [{segment}]}}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "its schema is None"),
        ('{"schema": "vidlstm.action_prediction/9"}', "action_prediction/9"),
        (f'{{"schema": "{SCHEMA}", "labels": []}}', "does not follow"),
        (f'{{"schema": "{SCHEMA}", "labels": ["a"], "windows": [3]}}', "does not follow"),
        (with_segment('"soon", 2'), "does not follow"),
        (with_segment("null, 2"), "does not follow"),
    ],
)
def test_other_files_are_refused_with_a_reason(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(OutputError, match=says) as caught:
        read_prediction_json(tmp_path / "p.json")
    assert "p.json" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_prediction_json, read_segments_csv):
        with pytest.raises(OutputError, match=r"nothing\.here"):
            read(tmp_path / "nothing.here")


def test_csv_has_a_row_a_segment(tmp_path: Path) -> None:
    write_prediction_csv(prediction(), tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == "start_seconds,end_seconds,label,probability"
    assert len(lines) == 4
    assert lines[2].split(",")[2] == "walk"


def test_a_truth_without_probabilities_is_read(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("start_seconds,end_seconds,label\n0,1.5,walk\n1.5,2,wave\n")
    assert read_segments_csv(tmp_path / "truth.csv")[1] == Segment(1.5, 2.0, "wave", 1.0)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "start_seconds,end_seconds,label\nsoon,2,x\n"])
def test_a_table_of_something_else_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(OutputError, match="start_seconds, end_seconds, label"):
        read_segments_csv(tmp_path / "t.csv")


def test_an_error_while_writing_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    write_text("old", path)
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_place_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write_segments_csv([], tmp_path / "file" / "p.csv")
    assert str(tmp_path / "file") in str(caught.value)


def test_rows_of_another_length_are_our_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 values"):
        write_csv(("a", "b"), [(1, 2), (3,)], tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []
