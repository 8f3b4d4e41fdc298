"""The formats by name. To add one: a file with a ``load_<name>`` here, and a line in ``DATASETS``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from vidlstm.datasets.csv import load_csv
from vidlstm.datasets.folder import load_folder
from vidlstm.datasets.hmdb51 import load_hmdb51
from vidlstm.datasets.kinetics import load_kinetics
from vidlstm.datasets.records import ClipDataset
from vidlstm.datasets.ucf101 import load_ucf101
from vidlstm.errors import DatasetError, nearest

DATASETS: dict[str, Callable[..., ClipDataset]] = {
    "folder": load_folder,
    "csv": load_csv,
    "ucf101": load_ucf101,
    "hmdb51": load_hmdb51,
    "kinetics": load_kinetics,
    "features": load_csv,
}
"""A loader takes some of ``root``, ``annotations`` and ``fold``.

Its signature says which it needs (no default), which it allows, and which mean nothing to it.
"""


def load_dataset(
    format: str, root: Path | None, annotations: Path | None = None, fold: int | None = None
) -> ClipDataset:
    """Reads a labelled dataset; no video is opened.

    Args:
        format: a key of ``DATASETS``.
        root: the folder that paths in the annotations start from.
        annotations: the annotation file or folder, where the format has one.
        fold: which fold will be held out; for UCF101 and HMDB51 which official split to read.

    Raises:
        DatasetError: an argument is missing or means nothing to this format, or the data is not what the
            format says.
    """
    if format not in DATASETS:
        raise DatasetError(f"unknown dataset format `data.format` {format}{nearest(format, DATASETS)}")
    load = DATASETS[format]
    parameters = inspect.signature(load).parameters
    given = {"root": root, "annotations": annotations, "fold": fold}
    for name, value in given.items():
        if value is None and name in parameters and parameters[name].default is inspect.Parameter.empty:
            raise DatasetError(f"the {format} format needs `data.{name}`")
        if value is not None and name not in parameters:
            raise DatasetError(f"the {format} format takes no `data.{name}`; drop it or change `data.format`")
    return load(**{name: value for name, value in given.items() if value is not None})
