"""Features of what is cut out: those of cutting by hand, box by box, under a key of their own."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.backbones.networks import untrained
from tests.fakes.videos import write_video
from tests.features import tiny
from vidlstm.features.crops import CountedFrames, Crops
from vidlstm.features.extract import look_up, make_store
from vidlstm.features.store import FeatureStore
from vidlstm.structures import FrameSize
from vidlstm.video.crops import cut
from vidlstm.video.hashing import hash_video
from vidlstm.video.reader import open_video
from vidlstm.video.views import with_views

MARGIN = 0.1


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return tiny.make_clips(tmp_path_factory.mktemp("clips"), 8)


@pytest.fixture(scope="module")
def crops(clips: list[Path]) -> dict[Path, Crops]:
    return tiny.drawn_crops(clips)


def store_of(root: Path, margin: float = MARGIN) -> FeatureStore:
    return make_store(root, tiny.tiny_backbone(), fps=tiny.FPS, crop_margin=margin)


@pytest.mark.parametrize("fit", ["squash", "letterbox", "crop"])
def test_features_are_those_of_cutting_by_hand(
    fit: str, clips: list[Path], crops: dict[Path, Crops], tmp_path: Path
) -> None:
    backbone = tiny.tiny_backbone(fit=fit)
    report = tiny.extract(clips[:3], tmp_path, backbone=backbone, crops=crops)
    store = make_store(tmp_path, backbone, fps=tiny.FPS, crop_margin=MARGIN)
    for clip in clips[:3]:
        with open_video(clip) as video:
            wanted = [
                (frame.timestamp_seconds, cut(frame.image, box, MARGIN, FrameSize(32, 32, fit)))
                for frame in video
                for box in crops[clip].boxes.get(frame.index, ())
            ]
        stored = store.get(report.hashes[clip])
        assert stored.timestamps_seconds.tolist() == [seconds for seconds, _ in wanted]
        by_hand = backbone(torch.from_numpy(np.stack([shown for _, shown in wanted])))
        np.testing.assert_allclose(stored.features, by_hand, rtol=1e-2, atol=1e-4)
        assert len(np.unique(stored.features, axis=0)) > len(wanted) / 2, "boxes are told apart"


def test_neither_order_nor_batches_nor_workers_change_a_byte(
    clips: list[Path], crops: dict[Path, Crops], tmp_path: Path
) -> None:
    tiny.extract(clips, tmp_path / "a", crops=crops, workers=1)
    tiny.extract(clips[::-1], tmp_path / "b", crops=crops, workers=3, batch_size=7)
    assert tiny.files_of(tmp_path / "a") == tiny.files_of(tmp_path / "b") != {}


def test_motion_is_the_change_of_the_whole_frame_cut_at_the_box(tmp_path: Path) -> None:
    """Joined with a network that sees pictures: six channels, and boxes larger than it takes."""
    clip = tmp_path / "a.mp4"
    write_video(clip, frames=6, height=256, width=320)
    boxes = {1: [[10.0, 5.0, 60.0, 90.0]], 3: [[0.0, 0.0, 310.0, 250.0], [100.0, 50.0, 180.0, 200.0]]}
    for name in ("squeezenet1_1:motion", "squeezenet1_1+squeezenet1_1:motion"):
        backbone = untrained(name)
        report = tiny.extract([clip], tmp_path / "s", backbone=backbone, crops={clip: Crops(boxes, MARGIN)})
        assert not report.failures
        with open_video(clip, wanted=CountedFrames(Crops(boxes, MARGIN))) as video:
            wanted = [
                cut(shown, box, MARGIN, backbone.size)
                for frame, shown in with_views(video, backbone.views)
                for box in boxes[frame.index]
            ]
        stored = make_store(tmp_path / "s", backbone, fps=tiny.FPS, crop_margin=MARGIN)
        features = stored.get(report.hashes[clip]).features
        np.testing.assert_allclose(
            features, backbone(torch.from_numpy(np.stack(wanted))), rtol=2e-2, atol=2e-3
        )


def test_the_key_is_of_the_bytes_the_boxes_and_the_margin(clips: list[Path], tmp_path: Path) -> None:
    boxes = {2: [[1.0, 2.0, 20.0, 30.0]], 10: [[3.0, 4.0, 20.0, 30.0]]}
    crops = Crops(boxes, 0.1)
    key = crops.key_of("a" * 64)
    assert key != "a" * 64
    others = [
        Crops(boxes, 0.2).key_of("a" * 64),
        crops.key_of("b" * 64),
        Crops({**boxes, 10: [[3.0, 4.0, 20.0, 30.5]]}, 0.1).key_of("a" * 64),
        Crops({2: boxes[2], 11: boxes[10]}, 0.1).key_of("a" * 64),
        Crops({2: [*boxes[2], *boxes[10]]}, 0.1).key_of("a" * 64),
        Crops({}, 0.1).key_of("a" * 64),
    ]
    assert len({key, *others}) == 1 + len(others)
    assert Crops(dict(reversed(boxes.items())), 0.1).key_of("a" * 64) == key
    # The worker gets them as JSON, and a whole number may be given for the margin.
    for given in (crops, Crops(boxes, 1)):
        job = json.loads(json.dumps(given.as_job()))
        assert Crops.from_job(job).key_of("a" * 64) == given.key_of("a" * 64)
        assert Crops.from_job(job) == given


def test_boxes_of_a_table_survive_the_way_to_the_worker(clips: list[Path], tmp_path: Path) -> None:
    rough = np.random.default_rng(0).uniform(0, 40, (3, 4)).astype(np.float32)
    crops = {clips[0]: Crops({0: rough.tolist()}, 1)}
    done = tiny.extract(clips[:1], tmp_path, crops=crops)
    found = look_up(clips[:1], store_of(tmp_path, 1), crops=crops)
    assert found.hashes == done.hashes and not found.failures


def test_a_second_run_finds_everything_and_another_box_is_done_anew(
    clips: list[Path], crops: dict[Path, Crops], tmp_path: Path
) -> None:
    tiny.extract(clips, tmp_path, crops=crops)
    assert tiny.extract(clips, tmp_path, crops=crops).found == len(clips)
    frame, boxes = next(iter(crops[clips[0]].boxes.items()))
    changed = dataclasses.replace(crops[clips[0]], boxes={frame: [[0, 0, 9, 9], *boxes]})
    report = tiny.extract(clips, tmp_path, crops={**crops, clips[0]: changed})
    assert (report.found, report.extracted) == (len(clips) - 1, 1)
    copies = [tmp_path / "copy.mp4", tmp_path / "other.mp4"]
    shutil.copy(clips[1], copies[0])
    shutil.copy(clips[2], copies[1])
    same_boxes = dict.fromkeys(copies, crops[clips[1]])
    report = tiny.extract(copies, tmp_path, crops=same_boxes)
    assert report.hashes[copies[0]] == crops[clips[1]].key_of(hash_video(clips[1]))
    assert report.found == 1, "a renamed video is found, another one is not mistaken for it"


def test_whole_frames_are_stored_apart_and_as_ever(
    clips: list[Path], crops: dict[Path, Crops], tmp_path: Path
) -> None:
    tiny.extract(clips[:3], tmp_path / "alone")
    tiny.extract(clips[:3], tmp_path / "both", crops=crops)
    cut_out = tiny.files_of(tmp_path / "both")
    tiny.extract(clips[:3], tmp_path / "both")
    whole = tiny.files_of(tmp_path / "alone")
    assert tiny.files_of(tmp_path / "both") == whole | cut_out
    assert not {*whole} & {*cut_out}
    assert len({name.split("/")[0] for name in whole | cut_out}) == 2, "two fingerprints"
    spec = store_of(tmp_path).spec.as_dict()
    assert spec["crop_margin"] == MARGIN
    assert "crop_margin" not in tiny.store_of(tmp_path).spec.as_dict()


def test_a_video_shorter_than_its_tracks_is_listed_and_leaves_nothing(
    clips: list[Path], crops: dict[Path, Crops], tmp_path: Path
) -> None:
    short = dataclasses.replace(crops[clips[1]], boxes={**crops[clips[1]].boxes, 500: [[0.0, 0, 9, 9]]})
    report = tiny.extract(clips[:3], tmp_path, crops={**crops, clips[1]: short})
    (failure,) = report.failures
    assert failure.path == clips[1] and failure.reason == "unreadable"
    assert "fewer frames than the tracks say; track it again" in str(failure)
    assert set(report.hashes) == {clips[0], clips[2]}
    assert len(tiny.files_of(tmp_path)) == 2 and tiny.leftovers_of(tmp_path) == []


def test_the_last_frame_counts_from_zero(clips: list[Path], tmp_path: Path) -> None:
    with open_video(clips[0]) as video:
        frames = sum(1 for _ in video)
    for last, good in ((frames - 1, True), (frames, False)):
        report = tiny.extract(clips[:1], tmp_path, crops={clips[0]: Crops({last: [[0, 0, 9, 9]]}, 0.0)})
        assert bool(report.hashes) is good


def test_crops_of_images_count_images(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 255, (5, 40, 40, 3), dtype=np.uint8)
    for i, image in enumerate(images):
        cv2.imwrite(str(folder / f"img{i}.png"), image[..., ::-1])
    report = tiny.extract([folder], tmp_path / "s", crops={folder: Crops({3: [[4, 4, 36, 36]]}, 0.0)})
    stored = store_of(tmp_path / "s", 0.0).get(report.hashes[folder]).features
    by_hand = tiny.tiny_backbone()(torch.from_numpy(np.ascontiguousarray(images[3:4, 4:36, 4:36])))
    np.testing.assert_allclose(stored, by_hand, rtol=1e-2, atol=1e-4)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
def test_kills_change_nothing(clips: list[Path], crops: dict[Path, Crops], tmp_path: Path) -> None:
    """Of the whole group and of the parent alone, in turns."""
    tiny.extract(clips, tmp_path / "undisturbed", crops=crops)
    undisturbed, killed = tiny.files_of(tmp_path / "undisturbed"), 0
    for seed in range(4):
        whole_group = seed % 2 == 1
        process = tiny.start(tiny.extract_until_killed, clips, tmp_path / "store", seed, whole_group, crops)
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        assert tiny.files_of(tmp_path / "store").items() <= undisturbed.items()
    assert killed >= 2, "most of the runs were to be cut short"
    assert not tiny.extract(clips, tmp_path / "store", crops=crops).failures
    assert tiny.files_of(tmp_path / "store") == undisturbed
