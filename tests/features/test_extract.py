"""What is stored depends on the video and the spec alone."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.features import tiny
from vidlstm.errors import StoreError
from vidlstm.features.extract import ExtractionReport, look_up
from vidlstm.structures import FrameSize
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return tiny.make_clips(tmp_path_factory.mktemp("clips"), 12)


@pytest.fixture(scope="module")
def reference(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("reference")
    tiny.extract(clips, root, workers=1)
    return tiny.files_of(root)


def test_features_are_the_backbones_own_of_the_sampled_frames(clips: list[Path], tmp_path: Path) -> None:
    backbone = tiny.tiny_backbone()
    report = tiny.extract(clips, tmp_path)
    for clip in clips:
        with open_video(clip, size=FrameSize(32, 32), wanted=SteadySampler(tiny.FPS)) as reader:
            frames = list(reader)
        stored = tiny.store_of(tmp_path).get(report.hashes[clip])
        assert stored.timestamps_seconds.tolist() == [frame.timestamp_seconds for frame in frames]
        wanted = [backbone(torch.from_numpy(frame.image)[None])[0].numpy() for frame in frames]
        np.testing.assert_allclose(stored.features, np.stack(wanted), rtol=1e-2, atol=1e-4)
        assert stored.features.dtype == np.float16
        assert stored.features.std() > 0.01, "the tiny backbone tells frames apart"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_neither_order_nor_batches_nor_workers_change_a_byte(
    seed: int, clips: list[Path], reference: dict[str, bytes], tmp_path: Path
) -> None:
    rng = random.Random(seed)
    shuffled = rng.sample(clips, len(clips))
    report = tiny.extract(shuffled, tmp_path, batch_size=rng.randrange(4, 40), workers=rng.randrange(1, 4))
    assert report.extracted == len(clips)
    assert tiny.files_of(tmp_path) == reference


def test_what_a_clip_shares_its_batches_with_changes_nothing(
    clips: list[Path], reference: dict[str, bytes], tmp_path: Path
) -> None:
    for i, clip in enumerate(clips[:3]):
        tiny.extract([clip], tmp_path / str(i))
        assert tiny.files_of(tmp_path / str(i)).items() <= reference.items()


def test_a_second_run_finds_everything(clips: list[Path], tmp_path: Path) -> None:
    tiny.extract(clips[:5], tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    report = tiny.extract(clips[:6] + clips[:2], tmp_path)
    assert (report.found, report.extracted) == (5, 1)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert before.items() < after.items()


def test_another_process_finds_what_was_extracted_and_misses_what_was_not(
    clips: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    videos = [*clips[:3], tmp_path / "bad.mp4"]
    done = tiny.extract(videos, tmp_path / "store")
    found = look_up([*videos, clips[0], tmp_path / "none.mp4"], tiny.store_of(tmp_path / "store"))
    assert found.hashes == done.hashes
    assert (found.found, found.extracted, found.features) == (3, 0, 0)
    assert [failure.path.name for failure in found.failures] == ["bad.mp4", "none.mp4"]


def test_a_renamed_video_is_found_and_a_changed_one_is_not(clips: list[Path], tmp_path: Path) -> None:
    folder, store = tmp_path / "videos", tmp_path / "store"
    folder.mkdir()
    shutil.copy(clips[0], folder / "a.mp4")
    shutil.copy(clips[1], folder / "b.mp4")
    first = tiny.extract([folder / "a.mp4", folder / "b.mp4"], store)
    (folder / "a.mp4").rename(folder / "c.mp4")
    shutil.copy(clips[2], folder / "b.mp4")  # the same name and other bytes
    second = tiny.extract([folder / "c.mp4", folder / "b.mp4"], store)
    assert (second.found, second.extracted) == (1, 1)
    assert second.hashes[folder / "c.mp4"] == first.hashes[folder / "a.mp4"]
    assert second.hashes[folder / "b.mp4"] != first.hashes[folder / "b.mp4"]


def test_copies_under_two_names_share_their_features(clips: list[Path], tmp_path: Path) -> None:
    copies = [tmp_path / f"copy{i}.mp4" for i in range(4)]
    for copy in copies:
        shutil.copy(clips[0], copy)
    report = tiny.extract(copies, tmp_path / "store", workers=4)
    assert len(set(report.hashes.values())) == 1
    assert set(report.hashes) == set(copies)
    assert len(tiny.files_of(tmp_path / "store")) == 1
    assert tiny.leftovers_of(tmp_path) == []


def test_a_relative_store_stays_where_it_was_asked_for(
    clips: list[Path], reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.extract(clips, Path("here/features"))
    assert tiny.files_of(tmp_path / "here" / "features") == reference


def test_names_of_every_kind(clips: list[Path], tmp_path: Path) -> None:
    names = [
        "with space.mp4",
        "ümläut ☃.mp4",
        "new\nline.mp4",
        "%d.mp4",
        "-dash.mp4",
        "file:x.mp4",
        "\udcff.mp4",
    ]
    paths = [tmp_path / name for name in names]
    for path, clip in zip(paths, clips, strict=False):
        shutil.copy(clip, path)
    report = tiny.extract(paths, tmp_path / "store")
    assert report.failures == []
    assert set(report.hashes) == set(paths)


def test_a_folder_of_images_is_a_video(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 255, (12, 40, 40, 3), dtype=np.uint8)
    for i, image in enumerate(images):
        cv2.imwrite(str(folder / f"img{i}.png"), image)
    report = tiny.extract([folder], tmp_path / "store")
    sequence = tiny.store_of(tmp_path / "store").get(report.hashes[folder])
    # 12 frames at 25 a second, sampled at 10: the first of each tenth of a second.
    assert sequence.timestamps_seconds.tolist() == [0.0, 0.12, 0.2, 0.32, 0.4]
    (folder / "notes.txt").write_text("not an image")
    assert tiny.extract([folder], tmp_path / "store").found == 1
    folder.rename(tmp_path / "renamed")
    assert tiny.extract([tmp_path / "renamed"], tmp_path / "store").found == 1
    cv2.imwrite(str(tmp_path / "renamed" / "img3.png"), images[0])
    assert tiny.extract([tmp_path / "renamed"], tmp_path / "store").extracted == 1


def test_progress_counts_up_to_the_report(clips: list[Path], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def progress(report: ExtractionReport) -> None:
        seen.append((report.extracted, report.features))

    report = tiny.extract(clips, tmp_path, batch_size=8, progress=progress)
    assert seen == sorted(seen)
    assert seen[-1] == (len(clips), report.features)
    assert report.features == sum(len(t["timestamps"]) for t in tiny.tensors_of(tmp_path).values())


def test_threads_of_the_caller_are_left_alone(clips: list[Path], tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        tiny.extract(clips[:2], tmp_path)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_an_error_of_the_backbone_stops_the_run_cleanly(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = tiny.tiny_backbone()

    def broken(frames: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(backbone.parts[0], "_forward", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        tiny.extract(clips, tmp_path, backbone=backbone)
    assert tiny.files_of(tmp_path) == {}
    assert tiny.leftovers_of(tmp_path) == []


def test_features_that_are_not_numbers_are_an_error(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = tiny.tiny_backbone()
    monkeypatch.setattr(
        backbone.parts[0], "_forward", lambda frames: torch.full((len(frames), tiny.WIDTH), torch.nan)
    )
    with pytest.raises(StoreError, match=r"not numbers \(nan\).*float32"):
        tiny.extract(clips, tmp_path, backbone=backbone)
    assert tiny.files_of(tmp_path) == {}
