"""Processes that torchrun, SLURM or ``--devices`` started together, and that share one extraction.

Each takes its shard. All the while a thread of each tells the others how far it is, four times a second; so
the first can show the progress of all, and nobody waits for the dead: a process that is killed closes its
connections, which ends the others' exchange at once, and a machine that is gone without a word does so when
torch's own limit for an answer has passed (30 minutes). The others then finish their shards, and say what is
missing.
"""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import distributed

from vidlstm.backbones.cpu import sharing_cores
from vidlstm.errors import RankError
from vidlstm.features.extract import ExtractionReport
from vidlstm.features.shards import shards_of
from vidlstm.structures import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from vidlstm.features.engines import Extraction

WORKING, DONE, FAILED = range(3)
SECONDS = 0.25
"""Between two exchanges."""


T = TypeVar("T")


class Work(Protocol):
    """Extracts; tells a callback of the report so far."""

    def __call__(
        self, extraction: Extraction, *, progress: Callable[[ExtractionReport], None]
    ) -> ExtractionReport:
        """See :func:`~vidlstm.features.extract.work_through`."""
        ...


class Ranks:
    """All processes of the process group; made by each of them at the same time.

    Attributes:
        rank: of this process, from 0.
        size: how many there are.
        group: what they talk through, on any device.
    """

    def __init__(self) -> None:
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.group: Any = distributed.new_group(backend="gloo")

    def share(
        self,
        extraction: Extraction,
        work: Work,
        progress: Callable[[ExtractionReport], None] | None = None,
    ) -> ExtractionReport:
        """Does this process's shard of an extraction, and waits for the others.

        Args:
            extraction: the same in all processes.
            work: does a part of it.
            progress: told of all processes together.

        Returns:
            The report of all, in each of them.

        Raises:
            RankError: another process has ended before its work was done.
        """
        mine = replace(extraction, paths=self._shard(extraction))
        told = progress if self.rank == 0 else None
        with sharing_cores(self._beside()), _Exchange(self, len(mine.paths), told) as others:
            own = work(mine, progress=others.tell)
            others.wait(own)
        return joined(self._of_all(own), extraction.paths)

    def _shard(self, extraction: Extraction) -> Sequence[Path]:
        """As the first process says, which looks at how long the videos are; all must mean the same."""
        shards: list[list[Path]] = []
        if self.rank == 0:
            shards = shards_of(extraction.paths, self.size, image_fps=extraction.store.spec.image_fps)
        return self._of_all(shards)[0][self.rank]

    def _beside(self) -> int:
        """How many processes have the cores of this one, itself among them."""
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        own = (platform.node(), cores)
        return self._of_all(own).count(own)

    def _of_all(self, own: T) -> list[T]:
        """What each process has, by rank."""
        given = [own] * self.size
        try:
            distributed.all_gather_object(given, own, group=self.group)
        except RuntimeError as error:
            raise RankError(f"one of the {self.size} processes has ended too early; see above") from error
        return given


def joined(reports: Sequence[ExtractionReport], paths: Sequence[Path]) -> ExtractionReport:
    """One report of those of several shards; ``paths`` are the videos in their order."""
    hashes = {path: video_hash for report in reports for path, video_hash in report.hashes.items()}
    whole = ExtractionReport(
        {path: hashes[path] for path in paths if path in hashes},
        [failure for report in reports for failure in report.failures],
        remarks=[remark for report in reports for remark in report.remarks],
        seconds=max(report.seconds for report in reports),
        **{name: sum(getattr(report, name) for report in reports) for name in COUNTED},
    )
    whole.sort(paths)
    return whole


COUNTED = ("extracted", "found", "features", "expected")
OF_ANOTHER = Failure(Path("of another process"), "unreadable")
"""Stands for a video that another process has failed on, until its report is there."""


@dataclass(frozen=True)
class _Part:
    """How far a process is: numbers alone, which the processes exchange."""

    state: int
    videos: int
    failed: int = 0
    extracted: int = 0
    found: int = 0
    features: int = 0
    expected: int = 0

    @property
    def missing(self) -> int:
        """Videos that are not done yet."""
        return self.videos - self.extracted - self.found - self.failed


class _Exchange:
    """The thread that tells the other processes how far this one is, and hears the same of them."""

    def __init__(
        self, ranks: Ranks, videos: int, progress: Callable[[ExtractionReport], None] | None
    ) -> None:
        self._ranks, self._progress = ranks, progress
        self._own = _Part(WORKING, videos)
        self._parts = [self._own] * ranks.size
        self._whole = ExtractionReport()
        self._news, self._over, self._broken = threading.Event(), threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="ranks", daemon=True)

    def __enter__(self) -> _Exchange:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not self._over.is_set():
            self._own = replace(self._own, state=FAILED)
            self._news.set()
            self._thread.join(timeout=4 * SECONDS)  # so that the others hear who it was

    def tell(self, own: ExtractionReport) -> None:
        """Notes how far this process is, and tells of all of them."""
        counts = {name: getattr(own, name) for name in COUNTED}
        self._own = replace(self._own, failed=len(own.unreadable), **counts)
        if self._progress is None:
            return
        others = [part for rank, part in enumerate(self._parts) if rank != self._ranks.rank]
        for name in COUNTED:
            setattr(self._whole, name, getattr(own, name) + sum(getattr(part, name) for part in others))
        self._whole.failures = own.failures + [OF_ANOTHER] * sum(part.failed for part in others)
        self._progress(self._whole)

    def wait(self, own: ExtractionReport) -> None:
        """Waits until all are done.

        Raises:
            RankError: one has ended before.
        """
        self.tell(own)
        self._own = replace(self._own, state=DONE)
        self._news.set()
        while not self._over.wait(SECONDS):
            self.tell(own)
        self.tell(own)
        ended = [rank for rank, part in enumerate(self._parts) if part.state == FAILED]
        if ended or self._broken:
            raise RankError(self._obituary(ended))

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                own = torch.tensor(astuple(self._own))
                rows = [torch.zeros_like(own) for _ in self._parts]
                distributed.all_gather(rows, own, group=self._ranks.group)
                self._parts = [_Part(*row.tolist()) for row in rows]
                states = {part.state for part in self._parts}
                if FAILED in states or WORKING not in states:
                    break
                self._news.wait(SECONDS)
        except RuntimeError:  # a connection was closed, or nothing came for too long
            self._broken = True
        self._over.set()

    def _obituary(self, ended: list[int]) -> str:
        who = f"process {ended[0] + 1}" if ended else "one"
        missing = sum(part.missing for rank, part in enumerate(self._parts) if rank != self._ranks.rank)
        return (
            f"{who} of the {self._ranks.size} processes has ended before its videos were done. What is "
            f"finished is kept; at most {missing} of {sum(part.videos for part in self._parts)} videos are "
            "missing: give the same command again"
        )
