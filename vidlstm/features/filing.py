"""Takes what an engine gives to the store and the report: one features file a video, as its features come."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidlstm.addresses import address
from vidlstm.features.decode_pool import Ended, Failed, Hashed, Opened, Row
from vidlstm.structures import Failure

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from vidlstm.features.engines import Extraction, Piece
    from vidlstm.features.extract import ExtractionReport
    from vidlstm.features.store import FeatureWriter


@dataclass
class _Open:
    """A video under way."""

    writer: FeatureWriter
    video_hash: str


class Filing:
    """Hands features to the files they belong to, and keeps the report."""

    def __init__(self, extraction: Extraction, report: ExtractionReport) -> None:
        self._paths, self._store, self._report = extraction.paths, extraction.store, report
        self._open: dict[int, _Open] = {}
        # One for all: a folder of what is half done is locked, which takes longer than a file.
        self._room: Path | None = None
        self._kept = ExitStack()

    def take(self, piece: Piece) -> None:
        """Files a piece; of each video, rows that follow each other go to its file together."""
        waiting: dict[int, list[int]] = {}
        rows = [news for news in piece.news if isinstance(news, Row)]
        row = 0
        for news in piece.news:
            if isinstance(news, Row):
                waiting.setdefault(news.job, []).append(row)
                row += 1
                continue
            self._append(news.job, waiting.pop(news.job, []), rows, piece.features)
            self._hear(news)
        for job, chosen in waiting.items():
            self._append(job, chosen, rows, piece.features)
        self._report.features += len(rows)

    def close(self) -> None:
        """Throws away what is half done; the next run starts those videos anew."""
        for video in self._open.values():
            video.writer.abort()
        self._kept.close()

    def _append(self, job: int, chosen: list[int], rows: list[Row], features: np.ndarray) -> None:
        if chosen and job in self._open:  # else it has failed
            seconds = [rows[i].timestamp_seconds for i in chosen]
            self._open[job].writer.append(features[chosen], seconds)

    def _hear(self, news: Hashed | Opened | Ended | Failed) -> None:
        match news:
            case Hashed():
                self._hashed(news)
            case Opened():
                self._report.expected += news.expected
            case Ended():
                self._ended(news)
            case Failed():
                self._failed(news)

    def _hashed(self, event: Hashed) -> None:
        path = self._paths[event.job]
        if not event.have:
            if event.damage:
                text = f"{address(path)}: its features were damaged and are made anew: {event.damage}"
                self._report.remarks.append(text)
            self._room = self._room or self._kept.enter_context(self._store.room())
            writer = self._store.writer(event.video_hash, self._room)
            self._open[event.job] = _Open(writer, event.video_hash)
            return
        self._report.hashes[path] = event.video_hash
        self._report.found += 1
        self._note_truncation(path, event.truncated)

    def _ended(self, event: Ended) -> None:
        video = self._open.pop(event.job)
        path = self._paths[event.job]
        video.writer.commit(truncated=event.truncated)
        self._report.hashes[path] = video.video_hash
        self._report.extracted += 1
        self._report.remarks += event.told
        self._note_truncation(path, event.truncated)

    def _note_truncation(self, path: Path, truncated: str) -> None:
        if truncated:
            self._report.failures.append(Failure(path, "truncated", truncated))

    def _failed(self, event: Failed) -> None:
        video = self._open.pop(event.job, None)
        if video is not None:
            video.writer.abort()
        detail = f"{event.detail} (after {event.frame} frames)" if event.frame else event.detail
        self._report.failures.append(Failure(self._paths[event.job], event.reason, detail))
