"""The store: written once and whole, or not at all; never read under another spec."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors import safe_open

from vidlstm.errors import SettingsError, StoreError, side_by_side
from vidlstm.features.extract import check_rate
from vidlstm.features.spec import FeatureSpec
from vidlstm.features.store import FeatureStore
from vidlstm.files import OWNER, SCRATCH

WIDTH = 5
HASH = "ab" * 32


def spec(**changes: object) -> FeatureSpec:
    backbone = {"backbone": "fake", "weights_sha256": "1234", "dtype": "float32", "feature_dim": WIDTH}
    return FeatureSpec(fps=10.0, image_fps=25.0, backbone={**backbone, **changes})


def fill(store: FeatureStore, features: np.ndarray, *, truncated: str = "", pieces: int = 3) -> None:
    times = [i / 10 for i in range(len(features))]
    with store.writer(HASH) as writer:
        for part in np.array_split(np.arange(len(features)), pieces):
            writer.append(features[part], [times[i] for i in part])
        writer.commit(truncated=truncated)


@settings(max_examples=40)
@given(
    features=arrays(
        np.float32, st.tuples(st.integers(0, 30), st.just(WIDTH)), elements=st.floats(-9, 9, width=16)
    ),
    truncated=st.text(max_size=600),
    pieces=st.integers(1, 7),
)
def test_what_was_put_is_got(
    features: np.ndarray, truncated: str, pieces: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = FeatureStore(tmp_path_factory.mktemp("store"), spec())
    assert not store.has(HASH)
    fill(store, features, truncated=truncated, pieces=pieces)
    got = store.get(HASH)
    np.testing.assert_array_equal(got.features, features.astype(np.float16))
    assert got.timestamps_seconds.tolist() == [i / 10 for i in range(len(features))]
    assert bool(got.truncated) == bool(truncated)
    assert store.truncated(HASH) == got.truncated
    assert store.length(HASH) == len(features) == len(got)


def test_the_file_is_where_and_what_the_docs_say(tmp_path: Path) -> None:
    fill(FeatureStore(tmp_path, spec()), np.ones((4, WIDTH), np.float32))
    folder = tmp_path / spec().fingerprint
    assert json.loads((folder / "spec.json").read_text()) == spec().as_dict()
    with safe_open(folder / "ab" / f"{HASH}.safetensors", framework="numpy") as file:
        assert set(file.keys()) == {"features", "timestamps"}
        assert file.get_tensor("features").dtype == np.float16
        assert file.get_tensor("timestamps").dtype == np.float64
        assert json.loads(file.metadata()["spec"]) == spec().as_dict()


def test_nothing_is_in_place_before_it_is_whole(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    writer = store.writer(HASH)
    writer.append(np.ones((1, WIDTH), np.float32), [0.0])
    assert not store.has(HASH)
    writer.abort()
    with pytest.raises(RuntimeError, match="stop"), store.writer(HASH) as writer:
        writer.append(np.ones((1, WIDTH), np.float32), [0.0])
        raise RuntimeError("stop")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["spec.json"]


def test_every_part_of_the_spec_leads_to_another_folder(tmp_path: Path) -> None:
    specs = [
        spec(),
        spec(weights_sha256="1235"),
        spec(dtype="bfloat16"),
        spec(backbone="other"),
        FeatureSpec(fps=5.0, image_fps=25.0, backbone=spec().backbone),
        FeatureSpec(fps=10.0, image_fps=30.0, backbone=spec().backbone),
    ]
    assert len({s.fingerprint for s in specs}) == len(specs)
    fill(FeatureStore(tmp_path, specs[0]), np.ones((2, WIDTH), np.float32))
    assert not any(FeatureStore(tmp_path, s).has(HASH) for s in specs[1:])


def test_a_number_is_the_same_however_it_is_written() -> None:
    assert FeatureSpec(fps=10, image_fps=25, backbone=spec().backbone).fingerprint == spec().fingerprint


def test_a_folder_with_another_spec_is_refused_with_both(tmp_path: Path) -> None:
    fill(FeatureStore(tmp_path, spec()), np.ones((2, WIDTH), np.float32))
    path = tmp_path / spec().fingerprint / "spec.json"
    path.write_text(json.dumps({**spec().as_dict(), "fps": 5.0, "dtype": "bfloat16"}))
    with pytest.raises(StoreError) as error:
        FeatureStore(tmp_path, spec())
    for words in ("another `store`", "wanted 10.0", "found  5.0", "wanted 'float32'", "found  'bfloat16'"):
        assert words in str(error.value)


def test_a_damaged_spec_is_written_anew(tmp_path: Path) -> None:
    """Each file says of itself what it holds, so nothing is lost with it."""
    store = FeatureStore(tmp_path, spec())
    fill(store, np.ones((2, WIDTH), np.float32))
    path = store.folder / "spec.json"
    for damage in (b"", b"{", b"\0" * 300, b"\xff"):
        path.write_bytes(damage)
        store = FeatureStore(tmp_path, spec())
        assert store.has(HASH)
        fill(store, np.ones((2, WIDTH), np.float32))
        assert json.loads(path.read_text()) == spec().as_dict()


def test_only_what_differs_is_shown_side_by_side() -> None:
    text = side_by_side({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})
    assert text.splitlines() == ["  b  wanted 2", "     found  3", "  c  wanted None", "     found  4"]


@pytest.mark.parametrize("keep", [0, 5, 100, 4200])
def test_a_cut_off_file_is_damaged(keep: int, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    fill(store, np.ones((50, WIDTH), np.float32))
    path = store.path_of(HASH)
    path.write_bytes(path.read_bytes()[:keep])
    for read in (store.get, store.length, store.truncated):
        with pytest.raises(StoreError, match="delete it and extract again"):
            read(HASH)
    assert not store.has(HASH)


START, STEPS = 8 + 4096, 50
TIMES = START + STEPS * WIDTH * 2


def flipped(place: int, bits: int = 1) -> Callable[[bytes], bytes]:
    def flip(raw: bytes) -> bytes:
        damaged = bytearray(raw)
        damaged[place] ^= bits
        return bytes(damaged)

    return flip


def headed(change: Callable[[dict], object]) -> Callable[[bytes], bytes]:
    def write(raw: bytes) -> bytes:
        header = json.loads(raw[8:START])
        change(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + raw[START:]

    return write


def said(**changes: str) -> Callable[[bytes], bytes]:
    return headed(lambda header: header["__metadata__"].update(changes))


OTHER = spec(backbone="other").canonical
DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a bit of the first feature": (flipped(START), "checksum"),
    "a sign": (flipped(START + 101, 0x80), "checksum"),
    "four bits of a feature": (flipped(START + 101, 0x78), "checksum"),
    "a bit of the first time": (flipped(TIMES), "checksum"),
    "a bit of the last time": (flipped(-1), "checksum"),
    "a page of zeros": (lambda raw: raw[:START] + bytes(200) + raw[START + 200 :], "checksum"),
    "two features swapped": (
        lambda raw: raw[:START] + raw[START + 10 : START + 20] + raw[START : START + 10] + raw[START + 20 :],
        "checksum",
    ),
    "padded": (lambda raw: raw + b"\0", "bytes instead of"),
    "no metadata": (headed(lambda header: header.pop("__metadata__")), "header cannot be read"),
    "metadata that are a list": (
        headed(lambda header: header.update(__metadata__=[])),
        "header cannot be read",
    ),
    "no spec": (headed(lambda header: header["__metadata__"].pop("spec")), "header cannot be read"),
    "another spec": (said(spec=OTHER), "another spec"),
    "another video": (said(video="cd" * 32), "another video"),
    "why it ended": (said(truncated="it did not"), "checksum"),
    "another checksum": (said(checksum="00000000"), "checksum"),
    "another type": (headed(lambda header: header["features"].update(dtype="BF16")), "does not describe"),
    "another width": (headed(lambda header: header["features"].update(shape=[WIDTH, STEPS])), "50 numbers"),
    "less than nothing": (
        headed(lambda header: header["features"].update(shape=[-1, WIDTH])),
        "something else",
    ),
    "more arrays": (headed(lambda header: header.update(more=header["timestamps"])), "something else"),
    "nested too deep": (
        lambda raw: struct.pack("<Q", 200_000) + b"[" * 200_000 + raw[START:],
        "cannot be read",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_of_every_kind_is_noticed(kind: str, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    numbers = np.random.default_rng(0).normal(size=(STEPS, WIDTH)).astype(np.float32)
    fill(store, numbers)
    assert store.look(HASH).damage == ""
    path, (damage, words) = store.path_of(HASH), DAMAGE[kind]
    path.write_bytes(damage(path.read_bytes()))
    assert words in store.look(HASH).damage and not store.has(HASH)
    with pytest.raises(StoreError, match="is damaged"):
        store.get(HASH)
    fill(store, numbers)
    assert store.has(HASH), "and written over"


def as_before_checksums(raw: bytes) -> bytes:
    def drop(header: dict) -> None:
        for name in ("checksum", "video"):
            header["__metadata__"].pop(name)

    return headed(drop)(raw)


@pytest.mark.parametrize("steps", [0, 1, STEPS])
def test_files_from_before_there_were_checksums_are_read(steps: int, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    fill(store, np.ones((steps, WIDTH), np.float32), truncated="early")
    path = store.path_of(HASH)
    path.write_bytes(as_before_checksums(path.read_bytes()))
    assert store.has(HASH)
    assert (len(store.get(HASH)), store.truncated(HASH)) == (steps, "early")


@pytest.mark.parametrize(
    ("place", "value"), [("features", "nan"), ("features", "inf"), ("times", "nan"), ("times", "-1")]
)
def test_what_cannot_be_is_damage_where_there_is_no_checksum(place: str, value: str, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    fill(store, np.ones((STEPS, WIDTH), np.float32))
    path = store.path_of(HASH)
    raw = bytearray(as_before_checksums(path.read_bytes()))
    data = len(raw) - STEPS * (2 * WIDTH + 8)
    if place == "features":
        raw[data + 20 : data + 22] = np.float16(value).tobytes()
    else:
        raw[-16:-8] = np.float64(value).tobytes()
    path.write_bytes(raw)
    assert "cannot be" in store.look(HASH).damage and not store.has(HASH)


def test_reading_what_is_not_there_is_an_error_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        FeatureStore(tmp_path, spec()).get(HASH)


def test_not_a_number_is_refused_and_too_large_is_kept_largest(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    with pytest.raises(StoreError, match="not numbers"), store.writer(HASH) as writer:
        writer.append(np.full((1, WIDTH), np.nan, np.float32), [0.0])
    fill(store, np.array([[1e6, -1e6, np.inf, -np.inf, 1]], np.float32))
    assert store.get(HASH).features.tolist() == [[65504, -65504, 65504, -65504, 1]]


def test_what_a_dead_process_left_is_cleared_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    fill(store, np.ones((1, WIDTH), np.float32))
    dead = [folder / f"{SCRATCH}dead" for folder in (store.folder, tmp_path / "another spec")]
    for folder in dead:
        folder.mkdir(parents=True)
        (folder / OWNER).touch()
        (folder / f"{HASH}.safetensors").write_bytes(b"half")
    with store.writer("cd" * 32) as alive:
        alive.append(np.ones((1, WIDTH), np.float32), [0.0])
        store.remove_leftovers()
        assert not any(folder.exists() for folder in dead)
        alive.commit()
    assert store.has(HASH) and store.has("cd" * 32)
    assert not list(store.folder.glob(".*"))


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_at_which_no_frame_can_be_taken_is_refused(fps: float) -> None:
    with pytest.raises(SettingsError, match=r"`sampling\.fps` must be positive"):
        check_rate(fps)
