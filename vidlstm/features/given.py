"""Features that were made elsewhere: what stands in place of a backbone, and of a store."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.datasets.files import listing
from vidlstm.devices import resolve_device
from vidlstm.errors import DatasetError, VideoError
from vidlstm.features.extract import ExtractionReport
from vidlstm.features.given_files import pieces_of, shape_of, times_in
from vidlstm.features.spec import FeatureSpec
from vidlstm.structures import GIVEN, Failure, FeatureSequence
from vidlstm.video.clock import LATEST_SECONDS
from vidlstm.video.hashing import hash_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LAYOUTS = {"TF": 1, "FT": 0}
"""How a table lies in its file, and which of its axes counts the features."""


class GivenFeatures:
    """Reads files of features. It has what tasks ask of a backbone, and no network.

    Attributes:
        feature_dim: F.
        part_dims: F alone.
        layout: ``TF`` or ``FT``, how each file lies.
        fps: steps a second, of files without times of their own.
        spec: what a card says of it: that it was given, and F.
        device: of the recurrent network.

    Args:
        feature_dim, layout, fps: see above.
        device: None takes a GPU where there is one.
    """

    weights_source = ""
    is_random = False

    def __init__(self, feature_dim: int, layout: str, fps: float, *, device: str | None = None) -> None:
        self.feature_dim, self.part_dims, self.layout, self.fps = feature_dim, (feature_dim,), layout, fps
        self.spec: dict[str, Any] = {"backbone": GIVEN, "feature_dim": feature_dim}
        self.device = resolve_device(device)

    @classmethod
    def of(
        cls, paths: Sequence[Path], *, layout: str = "auto", fps: float, device: str | None = None
    ) -> GivenFeatures:
        """What files agree on, from their headers. Those that cannot be read have no say.

        Args:
            paths: the files.
            layout: ``TF``, ``FT``, or ``auto``: the axis on which more files agree counts the features.
            fps: steps a second.
            device: see the class.

        Raises:
            DatasetError: no file can be read, files are of different widths, or either axis may be time.
        """
        shapes, failures = shapes_of(paths)
        if not shapes:
            raise DatasetError(f"none of the files of features can be read:{listing(map(str, failures))}")
        layout = agreed_layout(shapes) if layout == "auto" else layout
        widths = Counter(shape[LAYOUTS[layout]] for shape in shapes.values())
        width = widths.most_common(1)[0][0]
        odd = [f"{path}: {shape}" for path, shape in shapes.items() if shape[LAYOUTS[layout]] != width]
        if odd:
            raise DatasetError(
                f"{len(shapes) - len(odd)} files have {width} features a step, read as {_named(layout)}; "
                f"{len(odd)} have another number:{listing(odd)}\nleave them out, or say how all files lie "
                "with `data.features_layout`"
            )
        return cls(width, layout, fps, device=device)

    def read(self, path: Path) -> FeatureSequence:
        """The features of one file, float32 ``(T, F)``, and their times; from 0 where it has none.

        Raises:
            VideoError: it cannot be read, has another width, or holds what is no finite number.
        """
        shape = shape_of(path)
        steps, width = shape if self.layout == "TF" else shape[::-1]
        if width != self.feature_dim:
            turned = "; it seems to be turned: transpose it" if steps == self.feature_dim else ""
            raise _bad(
                path,
                f"its shape is {shape}, which as {_named(self.layout)} are {width} features a "
                f"step, and {self.feature_dim} are wanted{turned}",
            )
        x_TF = np.empty((steps, width), np.float32)
        return FeatureSequence(x_TF, self.read_into(path, x_TF))

    def read_into(self, path: Path, x_TF: np.ndarray) -> np.ndarray:
        """Reads the features of one file to where they belong, and returns their times ``(T,)``.

        Args:
            path: the file.
            x_TF: float32, of as many steps and features.

        Raises:
            VideoError: it cannot be read, or holds what is no finite number.
        """
        lying, first = x_TF if self.layout == "TF" else x_TF.T, 0
        for piece in pieces_of(path):
            room = lying[first : first + len(piece)]
            if room.shape != piece.shape:
                break
            with np.errstate(over="ignore", invalid="ignore"):
                room[:] = piece
            first += len(piece)
        if first != len(lying):
            raise _bad(path, f"it holds something else than the {len(lying)} rows that it said before")
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(x_TF.sum(dtype=np.float64))  # takes no memory of the size of the file
        if not finite:
            bad = ~np.isfinite(x_TF)
            step, feature = divmod(int(bad.argmax()), bad.shape[1])
            raise _bad(
                path,
                f"feature {feature} of step {step} (both from 0) is {x_TF[step, feature]}, and so are "
                f"{int(bad.sum()) - 1} more; fill them in, or leave the file out",
            )
        return self._times(path, len(x_TF), times_in(path))

    def _times(self, path: Path, steps: int, times: np.ndarray | None) -> np.ndarray:
        if times is None:
            return np.arange(steps) / self.fps
        times_T = times.astype(np.float64).reshape(-1)
        finite = len(times_T) == steps and (abs(times_T) < LATEST_SECONDS).all()
        if not finite or not (np.diff(times_T) > 0).all():
            raise _bad(path, f"its times must be {steps} finite seconds that rise, none beyond 3000 years")
        return times_T


class GivenStore:
    """Files of features as a store: each is read anew, and known by the hash of its bytes.

    Attributes:
        spec: as of a store of extracted features.
        dtype: of what it gives.
        local: takes what has no room in memory.
        report: which files there are and which cannot be read, as after an extraction.

    Args:
        given: how files are read.
        paths: the files.
        folder: see above, ``local``.
    """

    dtype = np.dtype(np.float32)
    readers = 1

    def __init__(self, given: GivenFeatures, paths: Sequence[Path], folder: Path) -> None:
        self._given, self.local = given, folder
        self.spec = FeatureSpec(fps=given.fps, image_fps=given.fps, backbone=given.spec)
        shapes, failures = shapes_of(paths)
        hashes = {path: hash_video(path) for path in shapes}
        self._files = {hashes[path]: (path, shape) for path, shape in shapes.items()}
        self.report = ExtractionReport(hashes=hashes, failures=failures, found=len(hashes))

    def length(self, video_hash: str) -> int:
        """T; from the header alone."""
        return self._files[video_hash][1][1 - LAYOUTS[self._given.layout]]

    def get(self, video_hash: str) -> FeatureSequence:
        """The features of one file.

        Raises:
            DatasetError: see :meth:`GivenFeatures.read`.
        """
        with _as_data():
            return self._given.read(self._files[video_hash][0])

    def read_into(self, video_hash: str, rows_TF: np.ndarray) -> np.ndarray:
        """Reads the features of one file to where they belong, and returns their times ``(T,)``.

        Raises:
            DatasetError: see :meth:`GivenFeatures.read_into`.
        """
        with _as_data():
            return self._given.read_into(self._files[video_hash][0], rows_TF)


@contextmanager
def _as_data() -> Iterator[None]:
    try:
        yield
    except VideoError as error:
        raise DatasetError(str(error)) from error


def shapes_of(paths: Sequence[Path]) -> tuple[dict[Path, tuple[int, int]], list[Failure]]:
    """The shapes of files of features, and those that cannot be read."""
    shapes, failures = {}, []
    for path in dict.fromkeys(paths):
        try:
            shapes[path] = shape_of(path)
        except VideoError as error:
            failures.append(Failure(path, error.reason, error.detail))
    return shapes, failures


def agreed_layout(shapes: Mapping[Path, tuple[int, int]]) -> str:
    """``TF`` or ``FT``: features are as many in every file, steps are not.

    Raises:
        DatasetError: as many files agree on one axis as on the other.
    """
    agree = [Counter(shape[axis] for shape in shapes.values()).most_common(1)[0][1] for axis in (0, 1)]
    if agree[0] == agree[1]:
        shown = [f"{path}: {shape}" for path, shape in shapes.items()]
        raise DatasetError(
            "files of features may lie as (T, F) or as (F, T), and their shapes do not tell which; say it: "
            f"`data.features_layout TF` or `data.features_layout FT`:{listing(shown, 3)}"
        )
    return "TF" if agree[1] > agree[0] else "FT"


def _named(layout: str) -> str:
    return f"({layout[0]}, {layout[1]})"


def _bad(path: Path, detail: str) -> VideoError:
    return VideoError(path, reason="not_features", detail=detail)
