"""A decode process finds the packages that its parent finds, and none that its parent does not."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vidlstm.features import decode_process
from vidlstm.features.decode_process import DecodeProcess

LOOKS = """
import importlib.util, json, sys
from vidlstm.features.decode_worker import END, Outlet
job = json.loads(sys.stdin.readline())
specs = {name: importlib.util.find_spec(name) for name in job["modules"]}
Outlet(sys.stdout.buffer).send(END, {name: spec and spec.origin for name, spec in specs.items()})
"""
"""In the place of the worker: says where it would import some modules from."""

ASKS = """
import sys
sys.path += sys.argv[2:]
import tests.features.test_decode_process as here
print(here.json.dumps(here.seen_by_a_worker(sys.argv[1].split(","))))
"""
"""A whole parent: its first argument the modules to look for, the others what it adds to its path by hand."""


def seen_by_a_worker(modules: list[str]) -> dict[str, str | None]:
    """Where a decode process of this process finds modules; its command is put back."""
    command, decode_process.COMMAND = decode_process.COMMAND, [decode_process.COMMAND[0], "-c", LOOKS]
    worker = DecodeProcess()
    try:
        worker.start({"modules": modules})
        return worker.receive()[1]
    finally:
        worker.close()
        decode_process.COMMAND = command


def test_waiting_is_counted_until_the_process_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves a second at every look."""
    monkeypatch.setattr(decode_process, "COMMAND", ["-c", "import sys; sys.stdin.read()"])
    monkeypatch.setattr(decode_process.time, "monotonic", itertools.count().__next__)
    worker = DecodeProcess()
    worker.start({})
    assert worker.waited_seconds() == 0
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(worker.receive)
        while worker.waited_seconds() < 5:
            assert not answer.done()
        worker.kill("no frame for 5 s")
    assert isinstance(answer.exception(), EOFError)
    assert worker.obituary() == ("timeout", "no frame for 5 s")
    assert worker.waited_seconds() == 0
    worker.close()


def module_in(folder: Path, name: str) -> str:
    """A package that cannot be imported, only found."""
    (folder / name).mkdir(parents=True)
    path = folder / name / "__init__.py"
    path.write_text("raise SystemExit('imported')")
    return str(path)


def test_packages_on_a_path_extended_by_hand_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = module_in(tmp_path / "first", "polars"), module_in(tmp_path / "last", "only_here")
    module_in(tmp_path / "last", "polars")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), *sys.path, str(tmp_path / "last")])
    assert seen_by_a_worker(["polars", "only_here"]) == {"polars": first, "only_here": last}


@pytest.mark.parametrize("isolated", [False, True])
def test_the_working_directory_is_not_looked_at_and_the_environment_as_the_parent_does(
    isolated: bool, tmp_path: Path
) -> None:
    found = {
        "in_environment": module_in(tmp_path / "environment", "in_environment"),
        "by_hand": module_in(tmp_path / "hand", "by_hand"),
        "working": module_in(tmp_path / "working", "working"),
    }
    command = [sys.executable, *(["-I"] if isolated else []), "-c", ASKS, ",".join(found)]
    command += [str(tmp_path / "hand"), *filter(None, sys.path)]
    places = [str(tmp_path / "environment"), os.environ["PYTHONPATH"]]
    done = subprocess.run(
        command,
        cwd=tmp_path / "working",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=True,
    )
    unseen = {"working": None} | ({"in_environment": None} if isolated else {})
    assert json.loads(done.stdout) == found | unseen


def test_one_that_died_with_a_job_half_handed_over_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_process, "COMMAND", ["-c", "pass"])
    worker = DecodeProcess()
    worker.start({})
    assert worker._process is not None
    with monkeypatch.context() as patch, pytest.raises(BrokenPipeError):
        patch.setattr(worker._process, "poll", lambda: None)  # nobody has noticed yet
        while True:
            worker.start({})
    worker._process.wait()
    worker.start({})
    worker.close()
