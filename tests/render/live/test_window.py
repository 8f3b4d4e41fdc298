"""The window: the grid, and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from vidlstm.errors import SettingsError
from vidlstm.render.live import window
from vidlstm.render.live.window import check_window, grid_of, mosaic


@pytest.mark.parametrize(("count", "grid"), [(1, (1, 1)), (2, (1, 2)), (3, (2, 2)), (5, (2, 3)), (9, (3, 3))])
def test_a_grid_as_square_as_can_be(count: int, grid: tuple[int, int]) -> None:
    assert grid_of(count) == grid


def test_pictures_are_whole_in_their_cells() -> None:
    images = [np.full((100, 200, 3), 200, np.uint8), None, np.full((300, 100, 3), 100, np.uint8)]
    whole = mosaic(images)
    assert whole.shape == (600, 400, 3)
    assert (whole[150, 100] == 200).all() and not whole[:300, 200:].any()
    assert (whole[450, 100] == 100).all() and (whole[450, 49] == 0).all() and (whole[300, 50] == 100).all()
    large = mosaic([np.zeros((2000, 2000, 3), np.uint8)] * 4)
    assert large.shape[0] <= window.HEIGHT and large.shape[1] <= window.WIDTH


def test_without_a_display_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SettingsError, match="no display here; use `http :8080`"):
        check_window()
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(window, "_TRIAL", "raise SystemExit(1)")  # as of a build without windows
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    for name in ("av", "cv2"):  # in the order that works
        sys.modules.pop(name, None)
    with pytest.raises(SettingsError, match="headless build"):
        check_window()
    sys.modules.update({"av": sys, "cv2": sys})
    with pytest.raises(SettingsError, match="av is imported before cv2"):
        check_window()


def test_opencv_is_loaded_before_pyav_or_no_window_would_open() -> None:
    code = 'import sys, vidlstm.video.reader; print([m for m in sys.modules if m in ("av", "cv2")])'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['cv2', 'av']"
