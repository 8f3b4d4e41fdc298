"""Features that were made elsewhere: read whichever way they lie, and refused with their place."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import polars
import pytest
from safetensors.numpy import save_file

from vidlstm.datamodules.feature_table import FeatureTable
from vidlstm.datasets.tracks_parquet import SCHEMA, read_tracks_frame
from vidlstm.errors import DatasetError, SettingsError, VideoError
from vidlstm.features.given import GivenFeatures, GivenStore, agreed_layout
from vidlstm.features.given_files import find_feature_files, shape_of

X_TF = np.random.default_rng(0).normal(size=(7, 3))


def save(path: Path, x: np.ndarray, **more: np.ndarray) -> Path:
    match path.suffix:
        case ".npy":
            np.save(path, x)
        case ".npz":
            np.savez_compressed(path, features=x, **more)
        case ".safetensors":
            save_file({"features": x, **more}, path)
        case ".parquet":
            polars.DataFrame(x, schema=[f"f{i}" for i in range(x.shape[1])]).write_parquet(path)
    return path


@pytest.mark.parametrize("layout", ["TF", "FT"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet"])
def test_every_kind_of_file_gives_the_same(suffix: str, dtype: type, layout: str, tmp_path: Path) -> None:
    dtype = np.float32 if suffix == ".parquet" and dtype is np.float16 else dtype  # polars writes no halves
    x = X_TF.astype(dtype)
    path = save(tmp_path / f"a{suffix}", np.ascontiguousarray(x if layout == "TF" else x.T))
    read = GivenFeatures(3, layout, 5.0, device="cpu").read(path)
    assert read.features.dtype == np.float32
    assert read.features.tolist() == x.astype(np.float32).tolist()
    assert read.timestamps_seconds.tolist() == [t / 5 for t in range(7)]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_times_of_its_own_count(suffix: str, tmp_path: Path) -> None:
    times = 8.3 + np.arange(7) / 3
    path = save(tmp_path / f"a{suffix}", X_TF, timestamps=times)
    given = GivenFeatures(3, "TF", 5.0, device="cpu")
    assert given.read(path).timestamps_seconds.tolist() == times.tolist()
    for bad in (times[::-1].copy(), times * 1e11, np.array([*times[:6], np.nan]), times[:5]):
        save(path, X_TF, timestamps=bad)
        with pytest.raises(VideoError, match="its times must be 7 finite seconds that rise"):
            given.read(path)


@pytest.mark.filterwarnings("error")
def test_numbers_without_end_are_counted_and_nobody_is_told_to_unpickle(tmp_path: Path) -> None:
    given = GivenFeatures(3, "TF", 5.0, device="cpu")
    x = np.array([[0.0, np.inf, 1.0], [-np.inf, 0.0, 1.0]])
    with pytest.raises(VideoError, match=r"feature 1 of step 0 \(both from 0\) is inf, and so are 1 more"):
        given.read(save(tmp_path / "a.npy", x))
    (tmp_path / "b.npy").write_bytes(pickle.dumps(x))
    with pytest.raises(VideoError, match=r"it is damaged: This file contains pickled \(object\) data\.$"):
        shape_of(tmp_path / "b.npy")


def test_what_files_agree_on_is_their_width() -> None:
    a, b, c = Path("a"), Path("b"), Path("c")
    assert agreed_layout({a: (7, 3), b: (9, 3)}) == "TF"
    assert agreed_layout({a: (3, 7), b: (3, 9), c: (3, 9)}) == "FT"
    for shapes in ({a: (7, 3)}, {a: (7, 3), b: (7, 3)}, {a: (7, 3), b: (9, 4)}):
        with pytest.raises(DatasetError, match=r"`data\.features_layout TF`.*\n  a: \(7, 3\)"):
            agreed_layout(shapes)


def test_another_width_is_named(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{n}.npy", np.zeros((5 + n, 3 + (n == 2)))) for n in range(4)]
    with pytest.raises(DatasetError, match=r"(?s)3 files have 3 features.*2\.npy: \(7, 4\)"):
        GivenFeatures.of(files, fps=5.0, device="cpu")
    given = GivenFeatures(4, "TF", 5.0, device="cpu")
    with pytest.raises(VideoError, match=r"\(5, 3\), which as \(T, F\) are 3 features a step, and 4 are"):
        given.read(files[0])
    with pytest.raises(VideoError, match="it seems to be turned"):
        given.read(save(tmp_path / "turned.npy", np.zeros((4, 9))))


def with_nan(path: Path) -> Path:
    x = X_TF.copy()
    x[4, 1] = np.nan
    return save(path, x)


def too_large_for_float32(path: Path) -> Path:
    x = X_TF.copy()
    x[2, 0] = 1e300
    return save(path, x)


def objects(path: Path) -> Path:
    np.save(path, np.array([{"a": 1}, {"b": 2}], dtype=object), allow_pickle=True)
    return path


def cut_off(path: Path) -> Path:
    save(path, X_TF)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def claims(shape: tuple[int, ...]) -> bytes:
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})  # type: ignore[no-untyped-call]
    return header.getvalue()


def claims_more_than_there_is(path: Path) -> Path:
    path.write_bytes(claims((10**6, 10**6)))
    return path


def bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("features.npy", claims((10**6, 10**6)))
    return path


def several(path: Path) -> Path:
    np.savez(path, rgb=X_TF, flow=X_TF)
    return path


def whole_numbers_too(path: Path) -> Path:
    polars.DataFrame({"frame": [0, 1], "f0": [0.5, 1.5]}).write_parquet(path)
    return path


HOSTILE: list[tuple[Callable[[Path], Path], str, str]] = [
    (with_nan, "npy", r"feature 1 of step 4 \(both from 0\) is nan"),
    (with_nan, "parquet", r"feature 1 of step 4 \(both from 0\) is nan"),
    (too_large_for_float32, "npy", "feature 0 of step 2 .* is inf"),
    (objects, "npy", "Python objects|object arrays"),
    (cut_off, "npy", "it is damaged"),
    (cut_off, "npz", "it is damaged"),
    (cut_off, "safetensors", "it is damaged"),
    (cut_off, "parquet", "it is damaged"),
    (claims_more_than_there_is, "npy", "it is damaged"),
    (bomb, "npz", "features.npy in it is shorter than its header says"),
    (several, "npz", "it holds flow, rgb; call the array of the features 'features'"),
    (whole_numbers_too, "parquet", "its columns frame hold no floating-point numbers"),
    (lambda path: save(path, X_TF.astype(np.int64)), "npy", "it holds <i8; save float16, float32 or"),
    (lambda path: save(path, X_TF[None]), "npy", r"its shape is \(1, 7, 3\); a table of steps"),
    (lambda path: save(path, X_TF[:0]), "npy", r"its shape is \(0, 3\)"),
    (lambda path: path, "npy", "no such file"),
]


@pytest.mark.parametrize(("make", "suffix", "message"), HOSTILE, ids=lambda v: getattr(v, "__name__", v))
def test_what_is_no_features_is_told(
    make: Callable[[Path], Path], suffix: str, message: str, tmp_path: Path
) -> None:
    path = make(tmp_path / f"bad.{suffix}")
    with pytest.raises(VideoError, match=message) as told:
        GivenFeatures(3, "TF", 5.0, device="cpu").read(path)
    assert str(path) in str(told.value)


def test_a_size_is_checked_before_memory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidlstm.features.given_files.MOST_NUMBERS", 20)
    for suffix in (".npy", ".npz", ".safetensors", ".parquet"):
        with pytest.raises(VideoError, match="over 20 numbers"):
            shape_of(save(tmp_path / f"large{suffix}", X_TF))


def test_a_table_that_makes_its_reader_panic_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars panics at some damaged files, with what is no Exception; of tracks tables, too."""

    def panic(*args: object, **kwargs: object) -> None:
        raise polars.exceptions.PanicException("assertion failed: offset + length <= self.length")

    path = save(tmp_path / "a.parquet", X_TF)
    tracks = tmp_path / "tracks.parquet"
    polars.DataFrame(schema=SCHEMA).write_parquet(tracks)
    monkeypatch.setattr("polars.read_parquet", panic)
    with pytest.raises(VideoError, match="it is damaged: assertion failed"):
        GivenFeatures(3, "TF", 5.0, device="cpu").read(path)
    with pytest.raises(DatasetError, match="cannot be read as Parquet: assertion failed"):
        read_tracks_frame(tracks)


def test_files_are_found_and_videos_are_none(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    wanted = [save(tmp_path / "b.npy", X_TF), save(tmp_path / "in" / "a.npz", X_TF)]
    (tmp_path / ".hidden.npy").write_bytes(b"")
    (tmp_path / "a.txt").write_text("")
    assert find_feature_files([tmp_path]) == wanted
    with pytest.raises(SettingsError, match=r"a\.mp4 is no file of features"):
        find_feature_files([tmp_path / "a.mp4"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no file of features"):
        find_feature_files([tmp_path / "empty"])


@pytest.mark.parametrize("rows", [5, 7])
def test_a_file_that_changes_while_it_is_read_is_told_of(rows: int, tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", X_TF[:6])
    given = GivenFeatures.of([path], layout="TF", fps=5.0, device="cpu")
    with pytest.raises(VideoError, match=f"something else than the {rows} rows that it said before"):
        given.read_into(path, np.empty((rows, X_TF.shape[1]), np.float32))


@pytest.mark.parametrize("limit", [None, 0])
def test_a_table_keeps_their_precision(limit: int | None, tmp_path: Path) -> None:
    """Pixels in half precision would be whole numbers from 1024 on."""
    paths = [save(tmp_path / f"{n}.npy", 1500 + X_TF[: 4 + n]) for n in range(2)]
    (tmp_path / "same.npy").write_bytes(paths[0].read_bytes())
    given = GivenFeatures.of(paths, fps=5.0, device="cpu")
    store = GivenStore(given, [*paths, tmp_path / "same.npy", tmp_path / "absent.npy"], tmp_path / "store")
    assert [failure.path.name for failure in store.report.failures] == ["absent.npy"]
    hashes = store.report.hashes
    assert hashes[tmp_path / "same.npy"] == hashes[paths[0]]
    table = FeatureTable(store, hashes.values(), map_above_bytes=limit)
    assert table.rows_NF.tolist() == (1500 + np.concatenate([X_TF[:4], X_TF[:5]])).astype("f4").tolist()
