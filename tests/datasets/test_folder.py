"""One folder per class."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.fakes.layouts import frames, touch
from vidlstm.datasets.folder import load_folder
from vidlstm.errors import DatasetError


def names(root: Path) -> list[tuple[str, str, str | None]]:
    return [(r.name, r.label, r.split) for r in load_folder(root).records]


def test_videos_may_lie_deeper(tmp_path: Path) -> None:
    touch(tmp_path / "run" / "monday" / "camera 1" / "a.MP4")
    assert names(tmp_path) == [("run/monday/camera 1/a.MP4", "run", None)]


def test_frame_folders_are_videos_and_their_images_are_not(tmp_path: Path) -> None:
    frames(tmp_path / "run" / "a", suffix="PNG")
    frames(tmp_path / "run" / "monday" / "b")
    assert names(tmp_path) == [("run/a", "run", None), ("run/monday/b", "run", None)]


@pytest.mark.parametrize("below", ["a.mp4", "clip/img_1.jpg"])
def test_a_class_called_train_is_a_class(tmp_path: Path, below: str) -> None:
    touch(tmp_path / "train" / below)
    touch(tmp_path / "test" / "b.mp4")
    assert {label for _, label, _ in names(tmp_path)} == {"train", "test"}


def test_split_folders_of_frame_folders(tmp_path: Path) -> None:
    frames(tmp_path / "Training" / "run" / "a")
    frames(tmp_path / "valid" / "run" / "b")
    assert names(tmp_path) == [("Training/run/a", "run", "train"), ("valid/run/b", "run", "validation")]


def test_splits_beside_classes_are_refused(tmp_path: Path) -> None:
    for name in ("train/run/a.mp4", "test/run/b.mp4", "jump/c.mp4"):
        touch(tmp_path / name)
    with pytest.raises(DatasetError, match="holds the splits test, train and, beside them, jump"):
        load_folder(tmp_path)


def test_an_empty_class_is_named(tmp_path: Path) -> None:
    touch(tmp_path / "run" / "a.mp4")
    (tmp_path / "jump").mkdir()
    with pytest.raises(DatasetError, match=r"empty class: \S+/jump holds no video; add videos or remove"):
        load_folder(tmp_path)


def test_an_empty_class_tells_what_lies_there_instead(tmp_path: Path) -> None:
    touch(tmp_path / "jump" / "a.mp3")
    with pytest.raises(DatasetError, match=r"not a video:\n  jump/a.mp3"):
        load_folder(tmp_path)


def test_loose_frames_in_a_class_get_advice(tmp_path: Path) -> None:
    frames(tmp_path / "run")
    with pytest.raises(DatasetError, match=r"frames want one folder per video"):
        load_folder(tmp_path)


@pytest.mark.parametrize("make", ["", "a.mp4"])
def test_no_class_folder_at_all(tmp_path: Path, make: str) -> None:
    if make:
        touch(tmp_path / make)
    with pytest.raises(
        DatasetError, match=r"holds no class folder; `data\.root` wants <root>/<label>/<video>"
    ):
        load_folder(tmp_path)


def test_what_is_no_video_is_listed(tmp_path: Path) -> None:
    touch(tmp_path / "run" / "a.mp4")
    for i in range(12):
        touch(tmp_path / "run" / f"notes{i:02d}.txt")
    with pytest.warns(UserWarning, match="left out, not a video:\n  run/notes00.txt") as caught:
        load_folder(tmp_path)
    assert "... and 2 more, 12 in all" in str(caught[0].message)
    assert "notes10" not in str(caught[0].message)


def test_videos_outside_every_class_are_listed_and_a_readme_is_not(tmp_path: Path) -> None:
    for name in ("run/a.mp4", "loose.mp4", "README.md"):
        touch(tmp_path / name)
    with pytest.warns(UserWarning, match="in no class folder:\n  loose.mp4$") as caught:
        load_folder(tmp_path)
    assert len(caught) == 1


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    touch(root / "run" / "a.mp4")
    touch(root / "jump" / "b.mp4")
    touch(elsewhere / "c.mp4")
    (root / "run" / "up").symlink_to(root)
    (root / "run" / "self").symlink_to(root / "run")
    (root / "run" / "sibling").symlink_to(root / "jump")
    (root / "run" / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = names(root)
    assert found == [
        ("jump/b.mp4", "jump", None),
        ("run/a.mp4", "run", None),
        ("run/linked/c.mp4", "run", None),
    ]


def test_links_to_nothing_and_to_themselves_are_listed(tmp_path: Path) -> None:
    touch(tmp_path / "run" / "a.mp4")
    (tmp_path / "run" / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "run" / "loop.mp4").symlink_to(tmp_path / "run" / "loop.mp4")
    with pytest.warns(UserWarning, match="not a video:\n  run/gone.mp4\n  run/loop.mp4"):
        assert names(tmp_path) == [("run/a.mp4", "run", None)]


def test_two_files_of_one_name_stay_two(tmp_path: Path) -> None:
    for label in ("jump", "run"):
        touch(tmp_path / label / "1.mp4")
    assert [r.path for r in load_folder(tmp_path).records] == [
        tmp_path / "jump/1.mp4",
        tmp_path / "run/1.mp4",
    ]


def test_ucf101_names_tell_their_group(tmp_path: Path) -> None:
    for name in ("v_Archery_g01_c01.avi", "v_Archery_g01_c02.avi", "v_Archery_g02_c01.avi", "v_g01_c01.avi"):
        touch(tmp_path / "Archery" / name)
    groups = [r.group for r in load_folder(tmp_path).records]
    assert groups == ["Archery_g01", "Archery_g01", "Archery_g02", None]
