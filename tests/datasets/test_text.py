"""The one opening of annotation files: what every reader takes, and what all refuse in the same words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidlstm.datasets import text
from vidlstm.datasets.csv import load_csv
from vidlstm.datasets.ethucy import read_ethucy_file
from vidlstm.datasets.homography import read_homography
from vidlstm.datasets.lists import read_list
from vidlstm.datasets.mot import read_mot
from vidlstm.datasets.segments import read_segments
from vidlstm.datasets.text import read_lines, read_text
from vidlstm.datasets.trajnet import read_trajnet
from vidlstm.errors import DatasetError

READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "csv": (lambda path: load_csv(path).records, "path,label\na.mp4,x\n"),
    "segments": (read_segments, "start_seconds,end_seconds,label\n0,1,x\n"),
    "list": (lambda path: list(read_list(path)), "a.avi 1\nb.avi 2\n"),
    "ethucy": (lambda path: read_ethucy_file(path).frames_R.tolist(), "0 1 2 3\n10 1 2 3\n"),
    "mot": (lambda path: read_mot(path, fps=10).frames_R.tolist(), "1,1,0,0,5,5,1\n2,1,0,0,5,5,1\n"),
    "trajnet": (
        lambda path: read_trajnet(path)[0].frames_R.tolist(),
        '{"track": {"f": 0, "p": 1, "x": 0, "y": 0}}\n',
    ),
    "homography": (lambda path: read_homography(path).tolist(), "1 0 0\n0 1 0\n0 0 1\n"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.mp4").touch()
    return tmp_path


@pytest.mark.parametrize("name", READERS)
def test_every_reader_takes_a_byte_order_mark_and_any_line_ending(folder: Path, name: str) -> None:
    read, content = READERS[name]
    file = folder / "file"
    file.write_bytes(content.encode())
    wanted = read(file)
    for spelling in (content.encode("utf-8-sig"), content.replace("\n", "\r\n").encode("utf-8-sig")):
        file.write_bytes(spelling)
        assert read(file) == wanted


@pytest.mark.parametrize("name", READERS)
def test_every_reader_refuses_other_encodings_and_sizes_in_one_sentence(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, content = READERS[name]
    file = folder / "file"
    for bad, why in ((content.encode() + b"\xe4\n", r"\(line \d: "), (b"\0" + content.encode(), "zero byte")):
        file.write_bytes(bad)
        with pytest.raises(DatasetError, match=rf"file is not UTF-8 .*{why}.*; save it as UTF-8"):
            read(file)
    monkeypatch.setattr(text, "MOST_BYTES", 4)
    file.write_text(content)
    with pytest.raises(DatasetError, match="too much for annotations"):
        read(file)


def test_the_line_of_a_bad_byte_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"one\ntwo\nthr\xe9e\n")
    with pytest.raises(DatasetError, match=r"a\.txt is not UTF-8 \(line 3: "):
        read_text(file)


def test_what_is_no_file_is_refused_and_not_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none is not there; look again"):
        read_text(tmp_path / "none", remedy="look again")
    with pytest.raises(DatasetError, match="a folder, not a file"):
        read_text(tmp_path)
    with pytest.raises(DatasetError, match="a device"):
        read_text(Path("/dev/zero"))


def test_only_line_ends_end_lines(tmp_path: Path) -> None:
    """``str.splitlines`` also cuts at U+2028 and at form feeds, and numbers lines as no editor does."""
    file = tmp_path / "a.txt"
    file.write_text("a\u2028b\x0c\n\nc\n", encoding="utf-8")
    assert list(read_lines(file)) == [(1, "a\u2028b\x0c"), (3, "c")]
