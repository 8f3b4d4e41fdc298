"""A config is data: it runs nothing that a person did not name, has bounds, and says where it is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.verbs.checkpoints import write
from vidlstm.cli.config import find_config, read_config, shipped
from vidlstm.cli.main import main
from vidlstm.errors import SettingsError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
FORMS = {
    "callback": "trainer:\n  callbacks:\n  - class_path: evil.Evil\n",
    "text": "trainer:\n  logger: evil.Evil\n",
    "within ours": (
        "trainer:\n  callbacks:\n  - class_path: lightning.pytorch.callbacks.LambdaCallback\n"
        "    init_args:\n      on_fit_start: evil.Evil\n"
    ),
    "by way of torch": "trainer:\n  callbacks:\n  - class_path: torch.os.system\n",
    "backbone": "backbone:\n  name: mobilenet_v2+evil:Evil\n",
    "trust": "backbone:\n  trust: true\n",
    "trust by its full name": "backbone.trust: yes\n",
    "backbone by its full name": "backbone.name: evil:Evil\n",
    "a file in a section": "data: other.yaml\n",
    "trusting itself": "trust_config: true\n",
}


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evil.py").write_text("open('RAN', 'w').close()\nclass Evil: pass\n")

    def run(content: str, *argv: str) -> str:
        (tmp_path / "c.yaml").write_text(content)
        assert main(["train", "--config", "c.yaml", "--out", "out", *argv]) == 2
        said = capsys.readouterr().err
        assert not (tmp_path / "RAN").exists() and not (tmp_path / "out").exists()
        assert "evil" not in sys.modules and "Traceback" not in said
        return said

    return run


@pytest.mark.parametrize("form", FORMS)
def test_a_config_runs_no_code_that_only_it_names(form: str, refused) -> None:
    said = refused(FORMS[form])
    assert "c.yaml" in said
    assert ("--trust_config true" in said) == (form not in ("a file in a section", "trusting itself"))


def test_what_is_lightnings_own_is_taken(refused) -> None:
    content = "trainer:\n  callbacks:\n  - class_path: lightning.pytorch.callbacks.LearningRateMonitor\n"
    assert "data.root" in refused(content)


TRUSTING = """
import calendar, sys
from vidlstm.cli.parsing import new_parser, parse
parser = new_parser("x", "x")
parser.add_argument("--kept", type=calendar.Calendar)
parser.add_argument("--backbone.trust", type=bool)
print(type(parse(parser, sys.argv[1:]).kept).__name__)
"""


def test_a_trusted_config_may_name_anything(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import calendar\nclass Mine(calendar.Calendar): pass\n")
    (tmp_path / "c.yaml").write_text("kept:\n  class_path: mine.Mine\nbackbone: {trust: true}\n")
    (tmp_path / "run.py").write_text(TRUSTING)
    argv = [sys.executable, "run.py", "--config", "c.yaml", "--trust_config"]
    how: dict[str, Any] = {"cwd": tmp_path, "capture_output": True, "text": True, "check": False}
    done = [subprocess.run([*argv, word], **how) for word in ("true", "false")]
    assert done[0].stdout == "Mine\n"
    assert done[1].stdout == "" and "would run code of a weights file" in done[1].stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("model:\n  cell: gru\n  hidden_size: abc\n", "c.yaml, line 3: --model.hidden_size must be"),
        ("model:\n  cell: gru\n  hidden_size: 0\n", "c.yaml, line 3: --model.hidden_size must be"),
        (
            "model:\n\n  cel: gru\n",
            "line 3: no setting is called model.cel; did you mean 'model.cell'?",
        ),
        ("data:\n  root: x\n bad: [1\n", "c.yaml, line 3: this is no YAML"),
        ("data:\n  root: ''\n", "c.yaml, line 2: --data.root is ''"),
        ("model:\n  cell: lsmt\n", "c.yaml, line 2: --model.cell lsmt"),
        ("data:\n  horizon: 5\n", "c.yaml, line 2: action has no setting --data.horizon"),
        ("- 1\n", "c.yaml holds no settings"),
        ("a: 2020-13-45\n", "c.yaml: a value cannot be read"),
        ("a: !!python/object:os.system x\n", "c.yaml, line 1: this is no YAML"),
        ("a: " + "[" * 900_000, "c.yaml, line 1: more levels or values"),
        ("{a: " * 100, "c.yaml, line 1: more levels or values"),
        ("a: " + "[" * 1_100_000, "too large"),
        (BOMB, "more levels or values"),
        ("a: &a [*a]\n", "more levels or values"),
        ("m: &m {a: 1}\nn: &n {<<: [" + ", ".join(["*m"] * 9999) + "]}\n", "more levels or values"),
    ],
    ids=range(16),
)
def test_a_wrong_config_is_told_with_its_line(content: str, words: str, refused) -> None:
    said = refused(content)
    assert words in said and len(said) < 1000


def test_a_flag_is_not_blamed_on_the_config(refused) -> None:
    assert "c.yaml" not in refused("model:\n  hidden_size: 8\n", "--model.hidden_size", "0")


def test_configs_are_found_by_name_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("action/yolo_pose") == find_config("configs/action/yolo_pose.yaml")
    assert read_config("action/yolo_pose").content["backbone"]["name"] == "yolo:pose"
    assert {"debug/action", "trajectory/tracks"} <= shipped().keys()
    with pytest.raises(SettingsError, match="did you mean 'action/yolo_pose'"):
        find_config("action/yolo_poze")
    with pytest.raises(SettingsError, match="no such file"):
        find_config("../../setup")


def test_evaluate_takes_the_config_of_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = str(write(tmp_path / "c.ckpt", "action"))
    with pytest.raises(SystemExit):
        main(
            [
                "train",
                "--out",
                "run",
                "--data.root",
                "clips",
                "--backbone.name",
                "squeezenet1_1",
                "--print_config",
            ]
        )
    (tmp_path / "train.yaml").write_text(capsys.readouterr().out)
    argv = ["evaluate", checkpoint, "--config", "train.yaml", "--out", "out"]
    assert main(argv) == 2
    assert "clips is not there" in capsys.readouterr().err  # everything else was taken
    assert main([*argv, "--data.validation_fraction", "0.5"]) == 2
    assert "--data.validation_fraction 0.5: the checkpoint was trained on 0.2" in capsys.readouterr().err
