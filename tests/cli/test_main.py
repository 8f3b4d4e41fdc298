"""The face of the command line: help, unknown words, exit statuses."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from vidlstm.cli.main import VERBS, main
from vidlstm.training.trainer import quieten_lightning

if TYPE_CHECKING:
    from pathlib import Path


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in VERBS)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from vidlstm.cli.main import main; main(['--help']);"
        "print('HEAVY', {'torch', 'lightning', 'jsonargparse', 'cv2', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY set()" in done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [["--help"], ["extract", "--help"]])
def test_a_reader_that_has_seen_enough_is_no_error(argv: list[str], unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "vidlstm", *argv]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode in (0, 141)  # argparse swallows the error itself


def test_a_broken_pipe_elsewhere_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(BrokenPipeError):
        main(["extract", "x"])


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vidlstm", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("vidlstm ")


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["trian"], "did you mean 'train'?"),
        (["predict", "--checkpoint", "x", "y"], "checkpoint is given without its name; see"),
        (["train", "--out", "x", "--modl.cell", "gru"], "did you mean 'model.cell'?"),
        (["train", "--out", "x", "--model.cel", "gru"], "did you mean 'model.cell'?"),
        (
            ["predict", "a.ckpt", "v.mp4", "--out", "x", "--window.second", "2"],
            "did you mean 'window.seconds'?",
        ),
        (["extract", "--store", "x"], "paths"),
        (["train"], "out"),
        (["train", "--out", "x", "--data.fold", "zero"], "data.fold"),
        (["evaluate", "none.ckpt", "--out", "x"], "none.ckpt: no such checkpoint"),
        (["extract", "v.mp4", "--backbone.name", "mobilenet_v22"], "did you mean 'mobilenet_v2'?"),
    ],
)
def test_a_wrong_word_is_named_with_its_remedy(
    argv: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert hint in capsys.readouterr().err


def test_an_unknown_key_in_a_config_names_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model:\n  cel: gru\n")
    assert main(["train", "--config", str(config), "--out", "x"]) == 2
    assert "did you mean 'model.cell'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert "--config" in capsys.readouterr().out


def test_print_config_is_yaml_that_can_be_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--out", "x", "--model.cell", "gru", "--print_config"])
    text = capsys.readouterr().out
    assert yaml.safe_load(text)["model"]["cell"] == "gru"
    config = tmp_path / "config.yaml"
    config.write_text(text)
    with pytest.raises(SystemExit):
        main(["train", "--config", str(config), "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out) == yaml.safe_load(text)


def test_lightning_is_quiet_whatever_it_was_before() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.INFO)  # where its own import leaves it
    quieten_lightning()
    assert logging.getLogger("lightning.pytorch").getEffectiveLevel() == logging.WARNING


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_verb_that_is_ended_clears_away_and_says_so(
    number: signal.Signals,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cleared = []

    def run(argv: list[str]) -> int:
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        finally:
            cleared.append(True)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("vidlstm.cli.extract.run", run)
    assert main(["extract", "v.mp4"]) == status
    said = capsys.readouterr().err
    assert said.startswith("vidlstm extract: ") and "what was finished is kept" in said
    assert cleared and signal.getsignal(signal.SIGTERM) == before
