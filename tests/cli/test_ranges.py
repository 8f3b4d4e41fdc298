"""One table of every number that a person can give: each has a range, and both surfaces hold to it."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt

import vidlstm
from tests.verbs.checkpoints import write
from vidlstm import settings
from vidlstm.cli.demo import demo_parser
from vidlstm.cli.evaluate import evaluate_parser
from vidlstm.cli.extract import extract_parser
from vidlstm.cli.inspect import gates_parser, gradients_parser
from vidlstm.cli.main import main
from vidlstm.cli.parsing import Parser, new_parser, parse
from vidlstm.cli.predict import predict_parser
from vidlstm.cli.track import track_parser
from vidlstm.cli.train import train_parser
from vidlstm.cli.weights import weights_parser
from vidlstm.errors import SettingsError
from vidlstm.settings import settings_from
from vidlstm.tasks import TASKS
from vidlstm.verbs.demo import demo
from vidlstm.verbs.inspect_gradients import inspect_gradients

PARSERS: dict[str, Callable[[], Parser]] = {
    "demo": demo_parser,
    "evaluate": evaluate_parser,
    "extract": extract_parser,
    "inspect gates": gates_parser,
    "inspect gradients": gradients_parser,
    "predict": predict_parser,
    "track": track_parser,
    "weights": weights_parser,
    **{f"train {name}": lambda task=task: train_parser(task) for name, task in TASKS.items()},
}
LIGHTNINGS = "trainer."
"""Arguments of Lightning's Trainer are checked by tables of the training's own tests."""
KINDS = sorted(name for name in settings.__all__ if name.endswith("Settings"))


def ranges_in(hint: Any) -> Iterator[tuple[type, dict[str, float]]]:
    """The numbers that a type takes: int or float, and its edges."""
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        edges: dict[str, float] = {}
        for mark in marks:
            for name, kind in (("ge", Ge), ("gt", Gt), ("le", Le), ("lt", Lt)):
                value = getattr(mark, name, None) if isinstance(mark, Interval | kind) else None
                edges |= {} if value is None else {name: value}
        if base in (int, float):
            yield base, edges
    elif get_origin(hint) in (Union, types.UnionType):
        for one in get_args(hint):
            yield from ranges_in(one)
    elif hint in (int, float):
        yield hint, {}


def outside(kind: type, edges: dict[str, float]) -> list[float]:
    """The numbers next to a range, on either side, and what is none."""
    step = 1 if kind is int else 1e-6
    beyond = [edges[name] for name in ("gt", "lt") if name in edges]
    if "ge" in edges:
        beyond.append(edges["ge"] - step)
    if "le" in edges:
        beyond.append(edges["le"] * (1 + 1e-9) + step)
    return [math.ceil(v) if kind is int else float(v) for v in beyond] + ([math.nan] if kind is float else [])


@pytest.mark.parametrize("verb", PARSERS)
def test_every_number_of_every_verb_has_two_ends(verb: str) -> None:
    without = [
        action.dest
        for action in PARSERS[verb]()._actions
        if not action.dest.startswith(LIGHTNINGS)
        for _, edges in ranges_in(getattr(action, "_typehint", None) or action.type)
        if not edges.keys() & {"ge", "gt"} or not edges.keys() & {"le", "lt"}
    ]
    assert without == []


@pytest.mark.parametrize("name", KINDS)
def test_a_number_outside_its_range_is_refused_by_flag_and_by_python(name: str) -> None:
    kind = getattr(settings, name)
    parser, walked = new_parser("x", "x"), 0
    parser.add_class_arguments(kind, "part")
    for field, hint in get_type_hints(kind, include_extras=True).items():
        for base, edges in ranges_in(hint):
            for value in outside(base, edges):
                walked += 1
                with pytest.raises(SettingsError) as by_flag:
                    parse(parser, [f"--part.{field}={value}"])
                with pytest.raises(SettingsError) as by_python:
                    settings_from(kind, {field: value}, section="part")
                assert by_flag.value.setting == by_python.value.setting == f"part.{field}"
    numbers = [n for n, hint in get_type_hints(kind, include_extras=True).items() if list(ranges_in(hint))]
    assert walked >= 2 * len(numbers)


@pytest.mark.parametrize("name", KINDS)
def test_blank_text_is_refused_by_flag_and_by_python(name: str) -> None:
    kind = getattr(settings, name)
    parser = new_parser("x", "x")
    parser.add_class_arguments(kind, "part")
    for field in fields(kind):
        if isinstance(field.default, str) or "Path" in str(field.type) or "str" in str(field.type):
            for blank in ("", " "):
                with pytest.raises(SettingsError, match=f"`part.{field.name}` is '"):
                    parse(parser, [f"--part.{field.name}={blank}"])
                with pytest.raises(SettingsError, match=f"`part.{field.name}` is '"):
                    settings_from(kind, {field.name: blank}, section="part")


PYTHON: dict[str, Callable[..., Any]] = {
    "demo": demo,
    "inspect": inspect_gradients,
    "train": vidlstm.train,
}
VERB_NUMBERS = [
    ("demo", "seed", "-1"),
    ("demo", "seed", str(2**32)),
    ("demo", "figures", "0"),
    ("demo", "figures", "2"),
    ("inspect gradients", "steps", "1"),
    ("inspect gradients", "hidden_size", "0"),
    ("inspect gradients", "seed", "-1"),
    ("inspect gradients", "forget_bias", "nan"),
    ("predict c.ckpt v.mp4", "every", "0"),
    ("train", "seed", "-1"),
]


@pytest.mark.parametrize(("verb", "name", "value"), VERB_NUMBERS)
def test_numbers_of_verbs_are_refused_before_any_work(
    verb: str,
    name: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*verb.split(), "--out", "out", f"--{name}", value]) == 2
    said = capsys.readouterr().err
    assert f"--{name} must be" in said and said.count("\n") == 1
    python: dict[str, Callable[..., Any]] = {
        "demo": demo,
        "inspect": inspect_gradients,
        "train": vidlstm.train,
    }
    if verb.split()[0] in python:
        with pytest.raises(SettingsError, match=f"`{name}` must be"):
            python[verb.split()[0]](
                out=tmp_path / "out", **{name: float(value) if "n" in value else int(value)}
            )
    assert list(tmp_path.iterdir()) == []


def test_blank_paths_of_verbs_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = str(write(tmp_path / "c.ckpt", "action"))
    for argv in (
        ["train", "--out", ""],
        ["train", "--out", "o", "--store", ""],
        ["track", "v.mp4", "--out="],
        ["extract", "v.mp4", "--store", " "],
        ["predict", checkpoint, "v.mp4", "--out", ""],
        ["predict", checkpoint, "v.mp4", "--out", "o", "--outputs", ""],
        ["predict", checkpoint, "", "--out", "o"],
        ["evaluate", checkpoint, "--out", "o", "--data.root", ""],
        ["evaluate", "", "--out", "o"],
        ["inspect", "gates", checkpoint, "v.mp4", "--out", ""],
        ["demo", "--out", ""],
    ):
        assert main(argv) == 2, argv
        assert "leave it out" in capsys.readouterr().err, argv
    for call in (
        lambda: vidlstm.train(out=""),
        lambda: vidlstm.train(out=5),  # type: ignore[arg-type]
        lambda: vidlstm.train(out="o\0"),
        lambda: vidlstm.track("v.mp4", out=""),
        lambda: vidlstm.track([]),
        lambda: vidlstm.extract_to_store("v.mp4", store=""),
        lambda: vidlstm.extract_to_store([]),
        lambda: vidlstm.predict(checkpoint, [], out="o"),
        lambda: vidlstm.predict(checkpoint, "v.mp4", out=""),
        lambda: vidlstm.predict("", "v.mp4", out="o"),
        lambda: vidlstm.evaluate(checkpoint, out=""),
        lambda: vidlstm.load(""),
        lambda: demo(""),  # type: ignore[arg-type]
    ):
        with pytest.raises(SettingsError):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["c.ckpt"]


@pytest.mark.parametrize("task", ["action", "trajectory"])
def test_a_cell_that_is_none_is_named_before_any_work(task: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"`model.cell lsmt`.*did you mean 'lstm'") as error:
        vidlstm.train(task, out=tmp_path / "out", data=tmp_path, model={"cell": "lsmt"})
    assert error.value.setting == "model.cell" and not (tmp_path / "out").exists()
