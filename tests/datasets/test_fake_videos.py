"""The drawn videos are what they say, so that other tests can lean on them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from tests.fakes.videos import draw, write_video


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_a_file_decodes_to_what_was_drawn(tmp_path: Path) -> None:
    drawn = write_video(tmp_path / "deep" / "a.mp4", frames=15, height=64, width=96, fps=12.5, seed=3)
    images = decode(tmp_path / "deep" / "a.mp4")
    assert images.shape == drawn.images.shape == (15, 64, 96, 3)
    assert np.abs(images.astype(int) - drawn.images).mean() < 3  # chroma has half the resolution
    with av.open(str(tmp_path / "deep" / "a.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, drawn.timestamps_seconds, atol=1e-6)


def test_the_truth_is_the_picture() -> None:
    for seed in range(10):
        drawn = draw(frames=30, height=64, width=96, fps=10, seed=seed)
        for image, (x, y) in zip(drawn.images, drawn.centres_pixels, strict=True):
            rows, columns = np.nonzero((image == drawn.disc_colour).all(-1))
            assert abs(columns.mean() + 0.5 - x) < 0.5 and abs(rows.mean() + 0.5 - y) < 0.5
        assert all((a != b).any() for a, b in zip(drawn.images, drawn.images[1:], strict=False))


def test_a_seed_decides_everything(tmp_path: Path) -> None:
    first, second = (write_video(tmp_path / f"{i}.mp4", seed=4) for i in range(2))
    assert (first.images == second.images).all()
    one, other = (decode(tmp_path / f"{i}.mp4") for i in range(2))
    assert np.abs(one.astype(int) - other).mean() < 1
    assert (first.images != draw(frames=12, height=64, width=96, fps=10.0, seed=5).images).any()
