"""A YOLO file is opened without running anything in it, going online, or writing anywhere."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.backbones.networks import SHARED
from tests.fakes.yolo import NETWORKS, save_yolo, tiny_yolo
from vidlstm.backbones.weights import sha256_of
from vidlstm.backbones.yolo.model import KNOWN_FILES, load_yolo
from vidlstm.backbones.yolo.shells import Shells
from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.errors import WeightsError


@pytest.mark.parametrize("generation", ["v8", "11", "26"])
@pytest.mark.parametrize("task", NETWORKS)
def test_every_task_of_every_generation_is_read(task: str, generation: str, tmp_path: Path) -> None:
    network = tiny_yolo(task, generation)
    path = save_yolo(tmp_path / "net.pt", network)
    model = load_yolo(path)
    assert type(model.module) is type(network)
    assert {type(m) for m in model.module.modules()} == {type(m) for m in network.modules()}
    assert (model.task, model.stride, model.side, model.sha256) == (task, 32, 64, sha256_of(path))
    assert model.names == network.names
    assert model.keypoints == ((17, 3) if task == "pose" else (0, 0))
    assert not model.module.training
    assert not any(p.requires_grad or p.dtype != torch.float32 for p in model.module.parameters())
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        wanted, found = (net(images)[0] for net in (network, model.module))
        if task == "segment":
            wanted, found = wanted[0], found[0]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("name", ["yolo26n.pt", "yolo11n-pose.pt"])
def test_the_published_files_are_read_and_known(name: str) -> None:
    path = SHARED / "weights" / name
    if not path.is_file():
        pytest.skip("../shared is not there")
    model = load_yolo(path)
    assert KNOWN_FILES[model.sha256].startswith(name)
    assert model.names[0] == "person"
    assert model.side == 640
    assert not Shells(torch.serialization.get_unsafe_globals_in_checkpoint(path)).refused


def test_what_trainings_leave_beside_the_network_is_read(tmp_path: Path) -> None:
    network = tiny_yolo()
    utils = ultralytics_module("ultralytics.utils")
    network.args = utils.IterableSimpleNamespace(box=7.5, cls=0.5, dfl=1.5, epochs=1)
    network.criterion = network.init_criterion()
    more = {
        "train_metrics": {"fitness": np.float64(0.5)},
        "save_dir": Path("runs/train"),
        "train_results": {"epoch": [1, 2]},
    }
    model = load_yolo(save_yolo(tmp_path / "last.pt", network, **more))
    assert type(model.module.criterion) is type(network.criterion)


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.mark),))


class Call:
    """Calls a class with arguments when it is unpickled."""

    def __init__(self, called: Any, *arguments: Any) -> None:
        self.called, self.arguments = called, arguments

    def __reduce__(self) -> Any:
        return (self.called, self.arguments)


def hostile_plan(mark: Path) -> dict[str, Any]:
    """An architecture whose activation, a text that Ultralytics evaluates, makes a folder."""
    plan = dict(tiny_yolo().yaml)
    plan["activation"] = f"(__import__('os').mkdir({str(mark)!r}), nn.SiLU())[1]"
    return plan


def test_a_plan_that_is_evaluated_would_do_harm(tmp_path: Path) -> None:
    tasks = ultralytics_module("ultralytics.nn.tasks")
    restricted, tasks.SAFE_LOAD = tasks.SAFE_LOAD, False
    try:
        tasks.DetectionModel(hostile_plan(tmp_path / "mark"), verbose=False)
    finally:
        tasks.SAFE_LOAD = restricted
    assert (tmp_path / "mark").exists(), "the attack that the next test is about works"


HOSTILE = {
    "code": "posix.mkdir",
    "code beside the network": "posix.mkdir",
    "constructor": "calls the constructor of DetectionModel",
    "constructor of a layer": "calls the constructor of Conv2d",
    "method": "asks for '__class__'",
    "pickle": "not a file of torch.save",
    "cut": "damaged",
    "empty": "damaged",
    "text": "damaged",
    "state dict": "holds no YOLO .* network but OrderedDict",
    "layer": "holds no YOLO .* network but Conv2d",
    "nan": "holds infinite values",
    "not whole": "not a whole YOLO network",
}


def make_hostile(kind: str, path: Path, mark: Path) -> None:
    network = tiny_yolo()
    save_yolo(path, network)
    tasks = ultralytics_module("ultralytics.nn.tasks")
    match kind:
        case "code":
            torch.save({"model": Code(mark)}, path)
        case "code beside the network":
            save_yolo(path, network, extra=Code(mark))
        case "constructor":
            torch.save({"model": Call(tasks.DetectionModel, hostile_plan(mark))}, path)
        case "constructor of a layer":
            torch.save({"model": Call(torch.nn.Conv2d, 3, 3, 1)}, path)
        case "method":
            torch.save({"model": Call(getattr, torch.nn.Conv2d, "__class__")}, path)
        case "pickle":
            path.write_bytes(pickle.dumps({"model": Code(mark)}))
        case "cut":
            path.write_bytes(path.read_bytes()[:2000])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("<html>not found</html>")
        case "state dict":
            torch.save(network.state_dict(), path)
        case "layer":
            torch.save({"model": torch.nn.Conv2d(3, 3, 1)}, path)
        case "nan":
            network.model[0].conv.weight.data[0] = torch.nan
            save_yolo(path, network)
        case "not whole":
            network.model = network.model[:3]
            save_yolo(path, network)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_or_damaged_file_is_refused_and_runs_nothing(kind: str, tmp_path: Path) -> None:
    make_hostile(kind, tmp_path / "net.pt", tmp_path / "mark")
    with pytest.raises(WeightsError, match=HOSTILE[kind]) as error:
        load_yolo(tmp_path / "net.pt")
    assert str(tmp_path / "net.pt") in str(error.value)
    assert not (tmp_path / "mark").exists()


def test_the_refusal_says_why_and_trust_overrides_it(tmp_path: Path) -> None:
    path = save_yolo(tmp_path / "net.pt", tiny_yolo(), extra=Code(tmp_path / "mark"))
    with pytest.raises(WeightsError, match=r"can run any code .*posix\.mkdir.*`backbone\.trust true`"):
        load_yolo(path)
    assert load_yolo(path, trust=True).task == "detect"
    assert (tmp_path / "mark").exists()


def test_a_missing_file_is_not_fetched() -> None:
    with pytest.raises(WeightsError, match=r"yolo11x\.pt: no such file; YOLO weights are not downloaded"):
        load_yolo("yolo11x.pt")


def test_what_was_allowed_before_is_allowed_after(tmp_path: Path) -> None:
    path = save_yolo(tmp_path / "net.pt", tiny_yolo())
    # Ultralytics' own loader allows the classes of every file that it has read.
    layers = [type(module) for module in tiny_yolo().modules()]
    with torch.serialization.safe_globals([Code, *layers]):
        before = set(torch.serialization.get_safe_globals())
        load_yolo(path)
        assert set(torch.serialization.get_safe_globals()) == before
    assert Code in before


WATCHED = """
import json, os, socket, sys
def refuse(*arguments, **options):
    raise SystemExit(f"tried the network: {arguments}")
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
import cv2, numpy, torch
for asked in json.loads(sys.argv[2]):
    if not os.fork():
        os.environ.update(asked)
        break
    if os.wait()[1]:
        sys.exit("see above")
else:
    sys.exit()
state = lambda: (dict(os.environ), cv2.getNumThreads(), numpy.get_printoptions(), torch.get_num_threads())
from vidlstm.backbones.yolo.ultralytics_quiet import OFF, ultralytics_module
before = state()
from vidlstm.backbones.yolo.model import load_yolo
model = load_yolo(sys.argv[1])
model.module(torch.zeros(1, 3, 64, 64))
before[0].update(OFF)
assert state() == before, (before, state())
for name in ("engine.predictor", "models.yolo.detect", "trackers.bot_sort", "trackers.byte_tracker"):
    ultralytics_module(f"ultralytics.{name}")
from ultralytics.utils import SETTINGS, checks, events
assert not SETTINGS["sync"] and not events.events.enabled and not checks.AUTOINSTALL and not checks.ONLINE
SETTINGS.update(runs_dir="elsewhere")
print("quiet")
"""


def test_nothing_goes_out_and_nothing_is_written(tmp_path: Path) -> None:
    """Nor where the environment asks for it; ``torch`` is imported once for both."""
    path = save_yolo(tmp_path / "net.pt", tiny_yolo())
    for name in ("home", "work", "temporary"):
        (tmp_path / name).mkdir()
    home = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "temporary")}
    asked = {"YOLO_CONFIG_DIR": str(tmp_path / "home" / "yolo"), "YOLO_AUTOINSTALL": "true"}
    root = Path(__file__).parents[2]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG", "YOLO", "PYTEST", "ULTRA"))}
    result = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED, str(path), json.dumps([{}, asked])],
        env={
            **kept,
            **home,
            "PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)]),
        },
        cwd=tmp_path / "work",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "quiet\nquiet\n", result.stdout + result.stderr
    left = [p for name in ("home", "work", "temporary") for p in (tmp_path / name).rglob("*")]
    assert left == []
