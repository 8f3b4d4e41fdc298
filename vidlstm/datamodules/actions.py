"""Clip records and a feature store to batches for action classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vidlstm.datamodules.collate import SequenceDataset
from vidlstm.datamodules.feature_table import FeatureTable
from vidlstm.datamodules.sequence_data import SequenceData
from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vidlstm.datasets.records import ClipRecord
    from vidlstm.features.given import GivenStore
    from vidlstm.features.store import FeatureStore


class ActionData(SequenceData):
    """Training and validation batches, gathered from one table of features.

    Args:
        store: holds the features of every video named in ``hashes``.
        hashes: video path to the hash its features are stored under.
        labels: the class names, in the order of the classifier's outputs.
        train, validation: the clips; ``validation`` is what is evaluated, whatever it is called outside.
        batch_size: sequences per process and step.
        max_seconds: longer clips are cut; None keeps them whole.
        seed: of the training order.
        map_above_bytes: see :class:`FeatureTable`.

    Raises:
        DatasetError: a clip holds no sampled frame.
    """

    def __init__(
        self,
        store: FeatureStore | GivenStore,
        hashes: Mapping[Path, str],
        labels: Sequence[str],
        *,
        train: Sequence[ClipRecord],
        validation: Sequence[ClipRecord],
        batch_size: int = 32,
        max_seconds: float | None = None,
        seed: int = 0,
        map_above_bytes: int | None = None,
    ) -> None:
        clips = [*train, *validation]
        self.table = FeatureTable(store, (hashes[r.path] for r in clips), map_above_bytes=map_above_bytes)
        self._hashes, self._classes = hashes, {label: i for i, label in enumerate(labels)}
        max_steps = None if max_seconds is None else max(1, round(max_seconds * store.spec.fps))
        super().__init__(
            labels,
            train=train,
            validation=validation,
            train_set=self._sequences(train, max_steps, random_cut=True) if train else None,
            validation_set=self._sequences(validation, max_steps, random_cut=False),
            fps=store.spec.fps,
            batch_size=batch_size,
            seed=seed,
        )

    def _sequences(
        self, records: Sequence[ClipRecord], max_steps: int | None, *, random_cut: bool
    ) -> SequenceDataset:
        bounds = [self.table.rows_of(self._hashes[r.path], r.start_seconds, r.end_seconds) for r in records]
        empty = [r.name for r, (first, last) in zip(records, bounds, strict=True) if last <= first]
        if empty:
            raise DatasetError(
                f"{len(empty)} clips hold no frame between their start and end, such as {empty[0]}; "
                "compare start_seconds and end_seconds with the video's own times"
            )
        return SequenceDataset(
            self.table.rows_NF,
            torch.tensor(bounds, dtype=torch.int64).reshape(-1, 2),
            torch.tensor([self._classes[r.label] for r in records], dtype=torch.int64),
            max_steps=max_steps,
            random_cut=random_cut,
        )
