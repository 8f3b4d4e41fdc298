"""Tracking on a Ray cluster: whole videos go to actors, one a machine or a GPU, that decode and detect.

A worker that dies is started again where it was, and does its video again; one that kills more than
``RETRIES`` of them is listed, and the others go on. Videos of a machine that is gone go to another one.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.devices import resolve_device
from vidlstm.errors import RankError, VideoError
from vidlstm.ray_cluster import RETRIES, cluster, go_to, nodes_of, places_of
from vidlstm.tracking.engines import VideoTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from vidlstm.ray_cluster import Place
    from vidlstm.tracking.engines import Outcome, Tracking
    from vidlstm.tracking.track_video import VideoSummary

POLL_SECONDS = 0.5
"""How often workers are asked how far they are."""


class TrackingActor:
    """Tracks one video at a time on a machine of the cluster.

    Args:
        todo: the videos.
        folder: where names begin that are not whole.
    """

    def __init__(self, todo: Tracking, folder: Path) -> None:
        go_to(folder)
        self._todo, self._frames = todo, 0
        self._tracker: VideoTracker | None = None

    def track(self, path: Path) -> Outcome:
        """What became of a video.

        Raises:
            VidlstmError: see :class:`~vidlstm.tracking.engines.VideoTracker`.
        """
        self._frames = 0
        # Not made before: what is wrong with it would be the actor's death.
        self._tracker = self._tracker or VideoTracker(self._todo)
        return self._tracker(path, self._count)

    def frames(self) -> int:
        """Of the video that is being tracked, so far; asked from another thread."""
        return self._frames

    def _count(self, summary: VideoSummary) -> None:
        self._frames = summary.frames


@dataclass(eq=False)
class _Worker:
    """An actor, its place, and the video that it has."""

    handle: Any
    place: Place
    path: Path | None = None


def tracked_on_cluster(
    todo: Tracking, progress: Callable[[Path, int], None], *, address: str | None
) -> Generator[tuple[Path, Outcome], None, None]:
    """Tracks videos on a cluster, in whatever order they are finished.

    Args:
        todo: the videos, and the network, which the machines find under the same names.
        progress: told now and then: a video, and its frames so far.
        address: see :func:`~vidlstm.ray_cluster.cluster`.

    Yields:
        Each video, and what became of it.

    Raises:
        SettingsError: no cluster answers there, or it has no GPU where one is needed.
        RankError: no machine is left.
        VidlstmError: see :class:`~vidlstm.tracking.engines.VideoTracker`.
    """
    VideoTracker(replace(todo, device="cpu"))  # what is wrong with the network is told here
    with cluster(address) as ray:
        flow = _Flow(ray, todo)
        try:
            yield from flow.outcomes(progress)
        finally:
            flow.close()


class _Flow:
    """Videos under way on a cluster."""

    def __init__(self, ray: Any, todo: Tracking) -> None:
        self._ray, self._todo = ray, todo
        self._device = resolve_device(todo.device).type
        self._kind = ray.remote(TrackingActor)
        self._todo_there = ray.put(replace(todo, device=self._device))
        self._idle = [self._started(place) for place in places_of(ray, self._device)]
        self._busy: dict[Any, _Worker] = {}
        self._waiting, self._deaths = deque(todo.sources), Counter[Path]()

    def outcomes(self, progress: Callable[[Path, int], None]) -> Generator[tuple[Path, Outcome], None, None]:
        """See :func:`tracked_on_cluster`."""
        while self._waiting or self._busy:
            self._give_out()
            ready, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=POLL_SECONDS)
            if not ready:
                self._tell(progress)
            for answer in ready:
                yield from self._taken(answer)

    def close(self) -> None:
        """Ends the workers."""
        for worker in (*self._idle, *self._busy.values()):
            self._ray.kill(worker.handle)

    def _started(self, place: Place) -> _Worker:
        # It tells how far it is while it tracks.
        handle = self._kind.options(**place.options, max_concurrency=2).remote(self._todo_there, Path.cwd())
        return _Worker(handle, place)

    def _give_out(self) -> None:
        while self._waiting and self._idle:
            worker = self._idle.pop()
            worker.path = self._waiting.popleft()
            self._busy[worker.handle.track.remote(worker.path)] = worker
        if not self._busy:
            raise RankError("no machine of the cluster is left to track videos")

    def _taken(self, answer: Any) -> Generator[tuple[Path, Outcome], None, None]:
        worker = self._busy.pop(answer)
        assert worker.path is not None
        try:
            outcome = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error  # of our code: as it would be raised here
        except self._ray.exceptions.RayError as error:
            yield from self._lost(worker.path, worker.place, error)
        else:
            self._idle.append(worker)
            yield worker.path, outcome

    def _lost(
        self, path: Path, place: Place, error: Exception
    ) -> Generator[tuple[Path, Outcome], None, None]:
        """Has another worker do what one had that died."""
        if place.node in {node for node, _ in nodes_of(self._ray)}:
            self._idle.append(self._started(place))
            self._deaths[path] += 1
        if self._deaths[path] > RETRIES:
            detail = f"{type(error).__name__} on the cluster, {self._deaths[path]} times"
            yield path, VideoError(path, reason="crashed", detail=detail)
        else:
            self._waiting.appendleft(path)

    def _tell(self, progress: Callable[[Path, int], None]) -> None:
        asked = {worker.handle.frames.remote(): worker.path for worker in self._busy.values()}
        answered, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=POLL_SECONDS)
        for one in answered:
            try:
                frames, path = self._ray.get(one), asked[one]
            except self._ray.exceptions.RayError:
                continue  # it has died, which its video will tell
            if path is not None:
                progress(path, frames)
