"""Labels and file names may hold anything; what reaches the terminal acts on nothing and fails on nothing."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from pathlib import Path

import pytest

from vidlstm.cli.main import main
from vidlstm.cli.progress import show_failures, show_lines
from vidlstm.cli.terminal import adapt_to_terminal, say, visible
from vidlstm.errors import OutputError
from vidlstm.features.extract import ExtractionReport
from vidlstm.render.table.results_table import results_table
from vidlstm.structures import Failure

EVIL = "a\x1b[2J\x1b]0;owned\x07\r\u202eb\x9b31m"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fight 跑步 हिन्दी e\u0301 👩\u200d🚒", "fight 跑步 हिन्दी e\u0301 👩\u200d🚒"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202etxt", "\\u202etxt"),
        ("\x9b\x7f\r", "\\x9b\\x7f\\r"),
        ("\udcff", "\\udcff"),
        ("\u2028", "\\u2028"),
    ],
)
def test_what_acts_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def acts(text: str) -> set[str]:
    return {c for c in text if c in "\x1b\x07\r\u202e\x9b"}


def test_nothing_that_is_printed_acts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_lines([EVIL, f"two\n{EVIL}", results_table({EVIL: {EVIL: 0.5}}, title=EVIL)])
    show_failures(ExtractionReport(failures=[Failure(Path(EVIL), "missing", EVIL)]))
    say(EVIL)
    assert main(["evaluate", EVIL, "--out", str(tmp_path / "o")]) == 2
    assert main(["extract", "v.mp4", f"--{EVIL}", "x"]) == 2
    assert main([EVIL]) == 2
    assert main(["inspect", EVIL]) == 2
    assert main(["train", "--config", EVIL, "--out", "o"]) == 2
    written = capsys.readouterr()
    assert not acts(written.out) and not acts(written.err)
    assert "\\x1b[2J" in written.out and "\\x1b[2J" in written.err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_terminal_of_any_encoding_is_written_to(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    adapt_to_terminal()
    show_lines(["跑步 ✓ \udcff", results_table({"跑步": {"top5": 0.5}, "b": {"top5": 0.25}}, title="ष")])
    show_failures(ExtractionReport(failures=[Failure(Path("跑步.mp4"), "missing")]))
    say("跑步", error=True)
    for stream in streams.values():
        stream.flush()
        assert stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


class Full(io.StringIO):
    """A standard output on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_behind_the_output_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    for line in ("a", results_table({"a": {"b": 1.0}})):
        with pytest.raises(OutputError, match="standard output cannot be written: No space left"):
            show_lines([line])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_help_on_a_full_disk_is_no_traceback() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        done = subprocess.run(
            [sys.executable, "-m", "vidlstm", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "vidlstm: standard output cannot be written: No space left on device\n"


def test_tables_fit_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = ("model", "majority_class", "logistic_regression_on_mean_features")
    scores = ("accuracy", "top5_accuracy", "mean_class_accuracy", "macro_f1")
    show_lines([results_table({row: dict.fromkeys(scores, 0.5) for row in rows})])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
