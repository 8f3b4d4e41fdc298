"""Videos and a store in a bucket: the same bytes as on disk, whatever the network does, and no byte twice."""

from __future__ import annotations

import gc
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

pytest.importorskip("s3fs", reason="the s3 extra is not installed")
pytest.importorskip("moto", reason="moto is not installed")

from tests.fakes.bucket import ENVIRONMENT, Bucket, running
from tests.features import tiny
from vidlstm import remote
from vidlstm.addresses import address, is_remote, why_no_address
from vidlstm.cli.main import main
from vidlstm.datamodules.feature_table import FeatureTable
from vidlstm.datasets.csv import load_csv
from vidlstm.datasets.folder import load_folder
from vidlstm.datasets.videos import find_videos
from vidlstm.errors import DatasetError, OutputError, SettingsError, StoreError, VideoError
from vidlstm.features import remote_videos
from vidlstm.features.extract import look_up
from vidlstm.features.remote_videos import at_hand, known_hash
from vidlstm.features.shards import shard_of
from vidlstm.files import check_writable
from vidlstm.video.hashing import hash_video
from vidlstm.video.reader import open_video

VIDEOS, STORE = Path("s3://bucket/videos"), Path("s3://bucket/features")


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with running() as bucket, pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": bucket.endpoint}.items():
            patch.setenv(name, value)
        remote.file_system.cache_clear()
        yield bucket
        remote.file_system.cache_clear()


@pytest.fixture
def bucket(server: Bucket) -> Bucket:
    server.clear()
    remote.file_system().invalidate_cache()
    return server


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return tiny.make_clips(tmp_path_factory.mktemp("clips"), 3)


@pytest.fixture(scope="module")
def reference(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("reference")
    tiny.extract(clips, root, workers=1)
    return tiny.files_of(root)


def stored(bucket: Bucket) -> dict[str, bytes]:
    return {name: data for name, data in bucket.objects("features").items() if name.endswith(".safetensors")}


def test_a_faulty_network_gives_the_store_of_a_disk_and_another_run_what_failed(
    bucket: Bucket, clips: list[Path], reference: dict[str, bytes]
) -> None:
    """Of what is read, the first answer breaks off and the second is slow; much is refused at first."""
    bucket.fill(clips[0].parent, "videos")
    lost = clips[1].name

    def fault(method: str, path: str, before: int) -> str:
        if lost in path:
            return "403"
        if method == "GET":
            return ("cut", "slow", "")[min(before, 2)]
        return "500" if not before and ("clip00" in path or "safetensors" in path) else ""

    bucket.fault = fault
    videos = find_videos([VIDEOS])
    report = tiny.extract(videos, STORE, workers=1)
    assert [(failure.path, failure.reason) for failure in report.failures] == [(VIDEOS / lost, "unreadable")]
    assert re.fullmatch(
        r"s3://bucket/videos/clip01.mp4: .*the bucket does not allow it.*", str(report.failures[0])
    )
    bucket.fault = lambda method, path, before: ""
    assert stored(bucket).items() < reference.items() and len(stored(bucket)) == 2
    bucket.sent.clear()
    report = tiny.extract(videos, STORE, workers=1)
    assert (report.found, report.extracted, report.failures) == (2, 1, [])
    assert stored(bucket) == reference
    assert {path: n for path, n in bucket.sent.items() if "/videos/" in path} == {
        f"/bucket/videos/{lost}": clips[1].stat().st_size
    }


def test_each_byte_of_a_video_crosses_the_network_once(
    bucket: Bucket, clips: list[Path], reference: dict[str, bytes], tmp_path: Path
) -> None:
    """Of a bucket and a disk in one run; a last clip is cut short, which a run that finds it says as well."""
    short = clips[2].read_bytes()
    for clip in clips[:2]:
        bucket.put(f"videos/{clip.name}", clip.read_bytes())
    local = tmp_path / "local.mp4"
    shutil.copy(clips[2], local)
    videos = [*find_videos([Path("s3://bucket/videos/")]), local, VIDEOS / "none.mp4"]
    report = tiny.extract(videos, STORE, workers=1)
    assert (report.extracted, [failure.reason for failure in report.failures]) == (3, ["missing"])
    assert stored(bucket) == reference
    assert [bucket.sent[f"/bucket/videos/{clip.name}"] for clip in clips[:2]] == [
        clip.stat().st_size for clip in clips[:2]
    ]
    store = tiny.store_of(STORE)
    found = look_up(videos, store)
    assert found.hashes == report.hashes and len(found.failures) == 1
    table = FeatureTable(store, found.hashes.values())
    assert len(table.rows_NF) == report.features
    bucket.put("videos/clip00.mp4", short)  # the same name and other bytes, which lie in the store already
    remote.file_system().invalidate_cache()
    bucket.sent.clear()
    assert known_hash(VIDEOS / "clip00.mp4", STORE) == ""
    again = tiny.extract(videos[:2], STORE, workers=1)
    assert (again.found, again.hashes[VIDEOS / "clip00.mp4"]) == (2, hash_video(clips[2]))
    assert [path for path in bucket.sent if "/videos/" in path] == ["/bucket/videos/clip00.mp4"]


def test_copies_are_kept_where_they_are_asked_for_and_gone_otherwise(
    bucket: Bucket, clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, name = VIDEOS / "a b?c#%.mp4", "/bucket/videos/a b?c#%.mp4"
    remote.write(clips[0].read_bytes(), video)
    monkeypatch.setattr(remote_videos.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    for _ in range(2):
        with at_hand(video, tmp_path / "store", kept=tmp_path / "kept") as (file, video_hash):
            assert (file.parent, video_hash) == (tmp_path / "kept", hash_video(clips[0]))
            assert re.fullmatch(r"[0-9a-f]{64}\.mp4", file.name)
    assert bucket.sent[name] == clips[0].stat().st_size
    with at_hand(video, tmp_path / "store") as (file, _):
        assert file.parents[1] == tmp_path / "temporary" and file.read_bytes() == clips[0].read_bytes()
    for error in (BrokenPipeError(), OSError(28, "No space left on device")):  # not the bucket's
        with pytest.raises((BrokenPipeError, VideoError), match=r"No space left|^$"):
            at_hand(video, tmp_path / "store", beat=Mock(side_effect=error)).__enter__()
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())
    assert len(list((tmp_path / "kept").iterdir())) == 1


@pytest.mark.parametrize("text", ["", "../../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "\xff"])
def test_what_a_store_remembers_is_checked(text: str, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("videos/a.mp4", b"bytes")
    with at_hand(VIDEOS / "a.mp4", tmp_path) as (_, video_hash):
        assert known_hash(VIDEOS / "a.mp4", tmp_path) == video_hash
    (note,) = (path for path in (tmp_path / "addresses").rglob("*") if path.is_file())
    assert "bucket" not in str(note.relative_to(tmp_path)) and note.read_text() == video_hash
    note.write_text(text)
    assert known_hash(VIDEOS / "a.mp4", tmp_path) == ""


def test_a_connection_that_says_nothing_is_tried_anew(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a", b"bytes" * 100)
    monkeypatch.setattr(remote, "SILENCE_SECONDS", 0.3)
    remote.file_system.cache_clear()
    bucket.fault = lambda method, path, before: "hang" if method == "GET" and not before else ""
    try:
        assert remote.read(Path("s3://bucket/a")) == b"bytes" * 100
    finally:
        remote.file_system.cache_clear()
    assert bucket.asked("GET", "/bucket/a") == 2


def test_a_long_object_is_read_in_pieces_and_goes_on_where_it_broke_off(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.random.default_rng(0).bytes(2500)
    bucket.put("long", data)
    monkeypatch.setattr(remote, "PIECE_BYTES", 1000)
    bucket.fault = lambda method, path, before: "cut" if method == "GET" and before == 1 else ""
    with remote.opened(Path("s3://bucket/long")) as (found, pieces):
        assert (found.size, b"".join(pieces)) == (2500, data)
    assert bucket.sent["/bucket/long"] == 2500 + 500, "half a piece twice"
    with (
        pytest.raises(OSError, match="the bucket fails"),
        remote.opened(Path("s3://bucket/long")) as (_, pieces),
    ):
        next(pieces)
        bucket.put("long", data[::-1])
        list(pieces)


def test_features_in_a_bucket_are_checked_as_on_disk(bucket: Bucket) -> None:
    store, key = tiny.store_of(STORE), "ab" * 32
    with pytest.raises(StoreError, match="there is no such object"):
        store.get(key)
    with store.writer(key) as writer:
        writer.append(np.ones((4, tiny.WIDTH), np.float32), [0.0, 0.1, 0.2, 0.3])
        assert not store.has(key)
        writer.commit(truncated="early")
    store.settle()
    assert store.has(key) and (store.length(key), store.truncated(key)) == (4, "early")
    place = f"features/{store.spec.fingerprint}/ab/{key}.safetensors"
    whole = bucket.objects("features")[place.removeprefix("features/")]
    for damaged, words in ((whole[:-1] + b"x", "checksum"), (whole[:-1], "bytes instead of"), (b"", "")):
        bucket.put(place, damaged)
        with pytest.raises(StoreError, match=f"s3://bucket/{place} is damaged.*{words}"):
            store.get(key)
    assert store.look(key).damage and not store.has(key)
    bucket.put(f"features/{store.spec.fingerprint}/spec.json", b'{"fps": 5.0}')
    with pytest.raises(StoreError, match=r"s3://bucket/features/.*another `store`"):
        tiny.store_of(STORE)


def test_a_store_that_takes_nothing_stops_the_run(bucket: Bucket) -> None:
    bucket.fault = lambda method, path, before: "403" if "safetensors" in path else ""
    store = tiny.store_of(STORE)
    with store.writer("ab" * 32) as writer:
        writer.append(np.ones((1, tiny.WIDTH), np.float32), [0.0])
        writer.commit()
    with pytest.raises(
        StoreError, match=r"s3://bucket/features.* cannot be written: the bucket does not allow"
    ):
        store.settle()


def test_datasets_and_shards_are_those_of_a_disk(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    names = [
        "run/a.mp4",
        "run/deep/b.mp4",
        "walk/c.mp4",
        "walk/notes.txt",
        ".hidden/d.mp4",
        "walk/frames/1.png",
    ]
    for i, name in enumerate(names):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clips[i % 3], tmp_path / "videos" / name)
    bucket.fill(tmp_path / "videos", "videos")
    bucket.put("videos/odd%3F%23%20/e.mp4", b"e")
    (tmp_path / "videos" / "odd?# ").mkdir()
    (tmp_path / "videos" / "odd?# " / "e.mp4").write_bytes(b"e")
    bucket.put("videos/", b"")  # as consoles make for a folder
    with pytest.warns(UserWarning, match=r"notes\.txt|\.txt"):
        here = [path.relative_to(tmp_path) for path in find_videos([tmp_path / "videos"])]
        there = [path.relative_to(STORE.parent) for path in find_videos([Path("s3://bucket/videos/")])]
        records = [load_folder(root).records for root in (tmp_path / "videos", VIDEOS)]
    assert here == there and len(here) == 5
    assert [(r.name, r.label) for r in records[0]] == [(r.name, r.label) for r in records[1]]
    assert all(is_remote(record.path) for record in records[1])
    (tmp_path / "clips.csv").write_text("path,label\nrun/a.mp4,run\nwalk/c.mp4,walk\n")
    assert [r.path for r in load_csv(tmp_path / "clips.csv", VIDEOS).records] == [
        VIDEOS / "run/a.mp4",
        VIDEOS / "walk/c.mp4",
    ]
    (tmp_path / "clips.csv").write_text("path,label\nrun/none.mp4,run\nwalk/c.mp4,walk\n")
    with pytest.raises(DatasetError, match=r"1 of 2 clips"):
        load_csv(tmp_path / "clips.csv", VIDEOS)
    videos = [VIDEOS / name for name in names[:3]]
    parts = [shard_of(videos, number, 2, image_fps=25) for number in (1, 2)]
    assert sorted(parts[0] + parts[1]) == sorted(videos) and all(parts)
    with pytest.raises(DatasetError, match="s3://bucket/none holds nothing; point"):
        load_folder(Path("s3://bucket/none"))


def test_what_is_missing_or_forbidden_is_told_in_a_sentence(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("frames/1.png", b"png")
    with (
        pytest.raises(VideoError, match=r"^s3://bucket/none\.mp4: no such file$"),
        at_hand(Path("s3://bucket/none.mp4"), tmp_path),
    ):
        pass
    with (
        pytest.raises(VideoError, match="a folder in a bucket"),
        at_hand(Path("s3://bucket/frames"), tmp_path),
    ):
        pass
    bucket.fault = lambda method, path, before: "403"
    with pytest.raises(
        DatasetError, match=r"^s3://bucket/frames: cannot be listed: the bucket does not allow"
    ):
        find_videos([Path("s3://bucket/frames")])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    remote.file_system.cache_clear()
    with pytest.raises(
        OSError, match=r"the bucket fails \(Could not connect to the endpoint URL: .*127\.0\.0\.1"
    ):
        remote.status(Path("s3://bucket/a.mp4"))
    remote.file_system.cache_clear()
    told = remote._words(OSError('no answer: "http://user:secret@host/a.mp4?X-Amz-Signature=secret" at all'))
    assert told == 'no answer: "http://host/a.mp4" at all'


def test_without_the_extra_the_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    remote.file_system.cache_clear()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SettingsError, match=r"pip install 'vidlstm\[s3\]'"):
        find_videos([VIDEOS])


@pytest.mark.parametrize(
    "given",
    [
        "gs://bucket/a.mp4",
        "http://host/a.mp4",
        "file:///a.mp4",
        "simplecache::s3://bucket/a.mp4",
        "memory://a",
    ],
)
def test_no_other_address_is_opened(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkey = str(tmp_path / "clip.mp4")
    Path(monkey).touch()
    assert main(["extract", monkey, "--store", given]) == 2
    assert "s3://" in capsys.readouterr().err
    assert main(["extract", given, "--store", str(tmp_path / "store")]) == 2
    assert not is_remote(given) and why_no_address(given)


@pytest.mark.parametrize(
    "given", ["s3://KEY:SECRET@bucket/a.mp4", "s3://", "s3://bucket/a?X-Amz=SECRET", "s3:///"]
)
def test_an_address_names_a_bucket_and_holds_no_login(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (["--store", given, "clip.mp4"], [given]):
        assert main(["extract", *flags]) == 2
        told = capsys.readouterr().err
        assert "AWS_ACCESS_KEY_ID" in told and "SECRET" not in told


def test_what_wants_a_file_says_so() -> None:
    with pytest.raises(VideoError, match=r"^s3://bucket/a\.mp4: .*copy it to this machine first"):
        open_video(Path("s3://bucket/a.mp4"))
    with pytest.raises(OutputError, match=r"^s3://bucket/out is in a bucket.*`out`"):
        check_writable(Path("s3://bucket/out"))


def test_addresses_are_shown_as_they_are_written() -> None:
    assert address(Path("s3://bucket/a//b.mp4")) == "s3://bucket/a/b.mp4"
    assert address("s3:/bucket/a.mp4") == "s3://bucket/a.mp4"
    assert address(Path("clips/s3:/a.mp4")) == "clips/s3:/a.mp4"
    assert not why_no_address("C:/clips") and not why_no_address("clips/a.mp4")
