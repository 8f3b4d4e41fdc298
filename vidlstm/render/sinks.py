"""Every output that a prediction can become: the one list, which the verbs and the command line use.

Importing it is cheap; a writer, and what it draws with, is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vidlstm.errors import SettingsError, nearest
from vidlstm.files import check_inputs
from vidlstm.render import action_outputs as action
from vidlstm.render import forecast_outputs as forecast
from vidlstm.render import label_tools
from vidlstm.render import object_outputs as object_action
from vidlstm.render.material import Material, Sink, one_file, write_all
from vidlstm.render.names import with_ending
from vidlstm.structures import TrackForecasts

__all__ = [
    "SINKS",
    "Material",
    "Sink",
    "check_outputs",
    "one_file",
    "outputs_of",
    "register_sink",
    "suffixes",
    "write_outputs",
]

SINKS: dict[tuple[str, str], Sink] = {
    ("action", "json"): action.as_json,
    ("action", "csv"): action.as_csv,
    ("action", "png"): action.as_png,
    ("action", "mp4"): action.as_mp4,
    ("action", "eaf"): label_tools.as_eaf,
    ("action", "labelstudio.json"): label_tools.as_label_studio,
    ("segmentation", "json"): action.as_json,
    ("segmentation", "csv"): action.as_csv,
    ("segmentation", "png"): action.as_png,
    ("segmentation", "mp4"): action.as_mp4,
    ("segmentation", "eaf"): label_tools.as_eaf,
    ("segmentation", "labelstudio.json"): label_tools.as_label_studio,
    ("object_action", "json"): object_action.as_json,
    ("object_action", "csv"): object_action.as_csv,
    ("object_action", "png"): object_action.as_png,
    ("object_action", "mp4"): object_action.as_mp4,
    ("forecast", "parquet"): forecast.as_parquet,
    ("forecast", "csv"): forecast.as_csv,
    ("forecast", "json"): forecast.as_json,
    ("forecast", "png"): forecast.as_png,
    ("forecast", "mp4"): forecast.as_mp4,
}
"""Kind of prediction and suffix to what writes it."""

ON_REQUEST = frozenset(("eaf", "labelstudio.json"))
"""Suffixes of what is written only where it is asked for by name."""

Names = Callable[[Path, Sequence[str]], list[Path]]
"""The files of an output: ``(stem, recordings)`` to all that it may write."""

FILES: dict[tuple[str, str], Names] = {
    ("forecast", "csv"): forecast.csv_files,
    ("forecast", "json"): forecast.json_files,
    ("forecast", "png"): forecast.png_files,
    ("forecast", "mp4"): forecast.mp4_files,
}
"""Of the outputs that are not ``<stem>.<suffix>``."""


def suffixes(kind: str) -> tuple[str, ...]:
    """The outputs of a kind of prediction, in the order of ``SINKS``.

    Raises:
        ValueError: there is no such kind.
    """
    found = tuple(suffix for other, suffix in SINKS if other == kind)
    if not found:
        raise ValueError(f"no kind of prediction is {kind!r}{nearest(kind, (k for k, _ in SINKS))}")
    return found


def usual(outputs: Sequence[str], *, video: bool = True) -> list[str]:
    """Of some outputs those that are written where none are asked for; ``mp4`` only with ``video``."""
    return [suffix for suffix in outputs if suffix not in ON_REQUEST and (video or suffix != "mp4")]


def check_outputs(kind: str, outputs: Sequence[str]) -> tuple[str, ...]:
    """The outputs, each once.

    Raises:
        SettingsError: one is not among those of the kind.
    """
    known = suffixes(kind)
    for output in outputs:
        if output not in known:
            raise SettingsError(f"no output is {output!r}{nearest(output, known)}")
    return tuple(dict.fromkeys(outputs))


def outputs_of(kind: str, stem: Path, outputs: Sequence[str], recordings: Sequence[str] = ()) -> list[Path]:
    """All files that outputs may become, before there is a prediction.

    Args:
        kind, stem, outputs: see :func:`write_outputs`.
        recordings: what forecasts are about; each has files of its own.

    Raises:
        SettingsError: no such output, or two recordings whose files would have one name.
    """
    files: list[Path] = []
    for suffix in check_outputs(kind, outputs):
        names = FILES.get((kind, suffix))
        files += names(Path(stem), recordings) if names else [with_ending(Path(stem), f".{suffix}")]
    return files


def write_outputs(
    kind: str,
    prediction: Any,
    stem: Path,
    outputs: Sequence[str],
    material: Material | None = None,
    *,
    inputs: Collection[str | Path] = (),
) -> list[Path]:
    """Writes a prediction in every wanted way. One that fails does not keep the others from being written.

    Args:
        kind: ``action`` and ``segmentation`` (:class:`ActionPrediction`), ``object_action``
            (:class:`ObjectActions`), ``forecast`` (:class:`TrackForecasts`), or one that was registered.
        prediction: what to write.
        stem: folder and name without an ending.
        outputs: suffixes.
        material: what outputs may show beside the prediction.
        inputs: files that must not be written over; the videos of the prediction are always among them.

    Returns:
        The files, in the order of ``outputs``.

    Raises:
        SettingsError: see :func:`outputs_of`.
        OutputError, VideoError: a file would be written over an input, and nothing was written; or the first
            file that could not be written: its ``written`` has all that were.
        ValueError: something wanted is not in the material.
        Exception: whatever else a registered output raises; the others were written.
    """
    material, stem = material or Material(), Path(stem)
    videos = _videos(prediction, material)
    check_inputs(outputs_of(kind, stem, outputs, videos), [*inputs, *videos])
    return write_all(
        partial(SINKS[kind, suffix], prediction, stem, material) for suffix in check_outputs(kind, outputs)
    )


def _videos(prediction: Any, material: Material) -> list[str]:
    if isinstance(prediction, TrackForecasts):
        return forecast.recordings_of(prediction, material)
    return list(dict.fromkeys([*material.fps, getattr(prediction, "video", "")]))


def register_sink(kind: str, suffix: str, files: Names | None = None) -> Callable[[Sink], Sink]:
    """Adds an output to every verb, or takes the place of one, from outside the package.

    >>> @register_sink("action", "txt")  # doctest: +SKIP
    ... @one_file("txt")
    ... def as_txt(prediction, path, material):
    ...     path.write_text("\\n".join(segment.label for segment in prediction.segments))

    Args:
        kind: of prediction; a new one is made where there is none of that name.
        suffix: by which ``--outputs`` asks for it.
        files: all that it may write, by stem and recordings; None is ``<stem>.<suffix>``.
    """

    def register(sink: Sink) -> Sink:
        SINKS[kind, suffix] = sink
        FILES.pop((kind, suffix), None)
        if files is not None:
            FILES[kind, suffix] = files
        return sink

    return register
