"""Labelled clips and the sequences of their tracked objects to bags."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vidlstm.datamodules.bags import bags_in, table_of
from vidlstm.datamodules.sequence_data import SequenceData
from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vidlstm.datamodules.bags import BagDataset
    from vidlstm.datamodules.object_sequences import ObjectSequence
    from vidlstm.datasets.records import ClipRecord


class ObjectActionData(SequenceData):
    """Bags of sequences: a clip's label is that of all its objects together, a track's of the track alone.

    A clip in which nobody is tracked is a bag of one step of zeros.

    Args:
        sequences: video path to the sequences of its objects.
        feature_dim: F.
        labels: the class names, in the order of the classifier's outputs.
        train, validation: the clips; those with a ``track_id`` are about that track.
        fps: steps a second.
        minimum_seconds: what is seen of an object for a shorter time is left out.
        batch_size: clips per process and step.
        max_seconds: longer sequences are cut; None keeps them whole.
        seed: of the training order.

    Attributes:
        empty: the clips in which nobody is seen for long enough.
        short: each clip and the number of a track that is not seen in it for long enough.

    Raises:
        DatasetError: a clip names a track that its video does not have.
    """

    def __init__(
        self,
        sequences: Mapping[Path, Sequence[ObjectSequence]],
        feature_dim: int,
        labels: Sequence[str],
        *,
        train: Sequence[ClipRecord],
        validation: Sequence[ClipRecord],
        fps: float,
        minimum_seconds: float,
        batch_size: int = 32,
        max_seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        self._sequences, self._classes = sequences, {label: i for i, label in enumerate(labels)}
        self._minimum_seconds = minimum_seconds
        self.empty: list[ClipRecord] = []
        self.short: list[tuple[ClipRecord, int]] = []
        videos = list(dict.fromkeys(r.path for r in (*train, *validation)))
        self._rows_NF, starts = table_of((s for video in videos for s in sequences[video]), feature_dim)
        each = iter(starts)
        self._first = {video: [next(each) for _ in sequences[video]] for video in videos}
        max_steps = None if max_seconds is None else max(1, round(max_seconds * fps))
        super().__init__(
            labels,
            train=train,
            validation=validation,
            train_set=self._bags(train, max_steps, random_cut=True) if train else None,
            validation_set=self._bags(validation, max_steps, random_cut=False),
            fps=fps,
            batch_size=batch_size,
            seed=seed,
        )

    def _bags(self, records: Sequence[ClipRecord], max_steps: int | None, *, random_cut: bool) -> BagDataset:
        bags = [self._bounds_of(record) for record in records]
        self.empty += [record for record, bag in zip(records, bags, strict=True) if not bag]
        targets = [self._classes[record.label] for record in records]
        return bags_in(self._rows_NF, bags, targets, max_steps=max_steps, random_cut=random_cut)

    def _bounds_of(self, record: ClipRecord) -> list[tuple[int, int]]:
        """The rows of each sequence of a clip that are within its time."""
        sequences = self._sequences[record.path]
        tracks = {sequence.track_id for sequence in sequences}
        if record.track_id is not None and record.track_id not in tracks:
            raise DatasetError(
                f"{record.name} has no track {record.track_id}; it has {_some(tracks)}. The numbers are "
                "those of the table given as `data.tracks`"
            )
        bounds, seen_tracks, short_tracks = [], set(), set()
        for sequence, start in zip(sequences, self._first[record.path], strict=True):
            if record.track_id not in (None, sequence.track_id):
                continue
            within = partial(sequence.within, record.start_seconds, record.end_seconds)
            if seen := within(minimum_seconds=self._minimum_seconds):
                bounds.append((start + seen[0], start + seen[1]))
                seen_tracks.add(sequence.track_id)
            elif within(minimum_seconds=0.0):
                short_tracks.add(sequence.track_id)
        self.short += [(record, track_id) for track_id in sorted(short_tracks - seen_tracks)]
        return bounds


def _some(tracks: set[int], most: int = 20) -> str:
    shown = ", ".join(map(str, sorted(tracks)[:most])) or "none"
    return f"{shown}, ..." if len(tracks) > most else shown
