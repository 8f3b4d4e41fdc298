"""Videos of a command line: what is found in folders, and that what is left out is counted and said."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from tests.fakes.layouts import frames, touch
from vidlstm.datasets.folder import load_folder
from vidlstm.datasets.videos import find_videos
from vidlstm.errors import DatasetError


def relative(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find_videos([root])]


def badly_named(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff\xfe.mp4")).write_bytes(b"tiny")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")


def test_folders_are_searched_to_the_bottom_in_order_and_silently(tmp_path: Path) -> None:
    for name in ("b.mp4", "a/z.AVI", "a/deep/er/y.mkv", ".hidden.dav"):
        touch(tmp_path / name)
    frames(tmp_path / "c")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert relative(tmp_path) == ["a/deep/er/y.mkv", "a/z.AVI", "b.mp4", "c"]


def test_linked_folders_are_searched_once_and_never_in_circles(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    touch(root / "real" / "a.mp4")
    touch(elsewhere / "b.mp4")
    for name, target in (("linked", elsewhere), ("again", elsewhere), ("0", root / "real"), ("up", tmp_path)):
        (root / name).symlink_to(target)
    (elsewhere / "back").symlink_to(root)
    assert sorted(relative(root)) == ["again/b.mp4", "real/a.mp4"]


def test_endings_of_no_video_are_counted(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.dav", "c.DAV", "deep/d.txt", "e"):
        touch(tmp_path / name)
    with pytest.warns(
        UserWarning, match=r"left out: 4 files .* not that of a video \(1 without, 2 \.dav, 1 \.txt\)"
    ):
        assert relative(tmp_path) == ["a.mp4"]


def test_a_folder_without_a_video_says_what_it_holds(tmp_path: Path) -> None:
    touch(tmp_path / "a.dav")
    with pytest.raises(DatasetError, match=r"holds no video: 1 files .*\(1 \.dav\); known endings are 3g2"):
        find_videos([tmp_path])


def test_names_that_are_not_utf8_are_told_of(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    badly_named(tmp_path)
    with pytest.warns(
        UserWarning, match=r"1 files or folders, a name that is not UTF-8.*\n.*bad\\udcff\\udcfe\.mp4"
    ):
        assert relative(tmp_path) == ["a.mp4"]
    with pytest.raises(DatasetError, match="not UTF-8, which no result could hold; rename it"):
        find_videos([Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\xfe.mp4"))])


def test_names_that_are_not_utf8_are_told_of_in_class_folders(tmp_path: Path) -> None:
    touch(tmp_path / "run" / "a.mp4")
    badly_named(tmp_path / "run")
    with pytest.warns(UserWarning, match=r"left out, a name that is not UTF-8.*\n.*bad\\udcff"):
        assert [record.name for record in load_folder(tmp_path).records] == ["run/a.mp4"]


def test_videos_beside_split_folders_are_told_of(tmp_path: Path) -> None:
    for name in ("train/run/a.mp4", "val/run/b.mp4", "loose.mp4"):
        touch(tmp_path / name)
    with pytest.warns(UserWarning, match="in no class folder:\n  loose.mp4"):
        assert len(load_folder(tmp_path)) == 2
