"""The store: written once and whole, or not at all; never read under another spec."""

from __future__ import annotations

import json
import os
import time
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
from vidlstm.features.store import LEFTOVER_SECONDS, FeatureStore

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
    path.write_text("{")
    with pytest.raises(StoreError, match=f"delete {path.parent} and extract again"):
        FeatureStore(tmp_path, spec())


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


def test_reading_what_is_not_there_is_an_error_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        FeatureStore(tmp_path, spec()).get(HASH)


def test_not_a_number_is_refused_and_too_large_is_kept_largest(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    with pytest.raises(StoreError, match="not numbers"), store.writer(HASH) as writer:
        writer.append(np.full((1, WIDTH), np.nan, np.float32), [0.0])
    fill(store, np.array([[1e6, -1e6, np.inf, -np.inf, 1]], np.float32))
    assert store.get(HASH).features.tolist() == [[65504, -65504, 65504, -65504, 1]]


def test_old_leftovers_are_cleared_and_new_ones_left(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, spec())
    fill(store, np.ones((1, WIDTH), np.float32))
    old, new = (store.folder / "ab" / f".{name}.part" for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    long_ago = time.time() - LEFTOVER_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    store.remove_leftovers()
    assert (old.exists(), new.exists(), store.has(HASH)) == (False, True, True)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_at_which_no_frame_can_be_taken_is_refused(fps: float) -> None:
    with pytest.raises(SettingsError, match=r"`sampling\.fps` must be positive"):
        check_rate(fps)
