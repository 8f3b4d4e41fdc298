"""The engine of a Ray cluster: decode tasks on its CPUs, the backbone in actors, one a machine or a GPU.

A portion of the videos is hashed by one task and decoded by another, which yields packed batches; Ray holds
it back while nobody takes them. Each batch goes from Ray's store to an actor, and features alone come back
here, in the order of the frames. What a worker had that died is done again by Ray; the batches of an actor
whose machine is gone go to another one.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.addresses import is_remote
from vidlstm.errors import RankError, SettingsError, VideoError
from vidlstm.features.decode_pool import Ended, Failed, Hashed
from vidlstm.features.engines import Piece
from vidlstm.features.ray_tasks import BackboneActor, decode, hashes_of
from vidlstm.ray_cluster import RETRIES, at, cluster, nodes_of, places_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.decode_pool import News
    from vidlstm.features.engines import Extraction

AHEAD = 4
"""Batches that a decode task may have ready."""
PORTION = 64
"""Most videos of a task: a decoder takes half a second to start."""


class RayEngine:
    """Decodes and runs the backbone on a Ray cluster.

    Args:
        address: see :func:`~vidlstm.ray_cluster.cluster`.
        build: makes the backbone of the extraction on a machine of the cluster; is given the ``device``.
    """

    def __init__(self, address: str | None, build: Callable[..., Backbone]) -> None:
        self._address, self._build = address, build

    def pieces(self, extraction: Extraction) -> Generator[Piece]:
        """See :class:`~vidlstm.features.engines.Engine`.

        Raises:
            SettingsError: no cluster answers at the address, or it has no GPU where one is needed; or videos
                lie in a bucket.
            StoreError: a machine makes another backbone than this one does.
            RankError: no machine is left to run the backbone.
        """
        if any(map(is_remote, extraction.paths)):
            raise SettingsError(
                "`engine ray` reads videos from disks that all machines reach; extract those in a bucket "
                "with `shard`, one for each machine"
            )
        with cluster(self._address) as ray, contextlib.closing(_Flow(ray, extraction, self._build)) as flow:
            yield from flow.pieces()


@dataclass(eq=False)
class _Actor:
    """A backbone, and how many batches it has of those it takes at a time."""

    handle: Any
    node: str
    room: int
    has: int = 0


@dataclass(eq=False)
class _Portion:
    """Some videos under way.

    Attributes:
        hashes: the answer of the first task, until it was read.
        parts: what the second yields.
        results: of the batches that actors have, oldest first: batch, actor, answer.
        left: videos that have neither ended nor failed.
    """

    jobs: Sequence[int]
    node: str
    hashes: Any = None
    parts: Any = None
    results: deque[tuple[Any, _Actor, Any]] = field(default_factory=deque)
    left: set[int] = field(default_factory=set)


class _Flow:
    """An extraction under way."""

    def __init__(self, ray: Any, extraction: Extraction, build: Callable[..., Backbone]) -> None:
        self._ray, self._extraction, self._folder = ray, extraction, Path.cwd()
        self._actors = _actors(ray, extraction, build)
        most = extraction.workers or 1 << 20
        self._slots = {node: min(most, int(resources["CPU"])) for node, resources in nodes_of(ray)}
        self._under_way: list[_Portion] = []
        size = max(1, min(PORTION, len(extraction.paths) // (4 * sum(self._slots.values()))))
        jobs = range(len(extraction.paths))
        self._waiting = deque(jobs[i : i + size] for i in range(0, len(jobs), size))
        options = {"num_cpus": 1, "max_retries": RETRIES}
        self._hash = ray.remote(**options)(hashes_of)
        self._decode = ray.remote(**options, _generator_backpressure_num_objects=AHEAD)(decode)

    def pieces(self) -> Iterator[Piece]:
        """See :class:`~vidlstm.features.engines.Engine`."""
        while self._start():
            awaited = dict(self._awaited())
            ready, _ = self._ray.wait(list(awaited), num_returns=1, fetch_local=False)
            for one in ready:
                portion, go_on = awaited[one]
                yield from self._guarded(portion, go_on)

    def close(self) -> None:
        """Ends what runs, where the cluster goes on."""
        for portion in self._under_way:
            with contextlib.suppress(Exception):
                self._ray.cancel(portion.parts if portion.parts is not None else portion.hashes)
        for actor in self._actors:
            self._ray.kill(actor.handle)

    def _start(self) -> bool:
        """Begins portions where there is room; whether any is under way."""
        for node, slots in self._slots.items():
            while self._waiting and sum(p.node == node for p in self._under_way) < slots:
                self._begin(_Portion(self._waiting.popleft(), node))
        return bool(self._under_way)

    def _begin(self, portion: _Portion) -> None:
        paths = [self._extraction.paths[job] for job in portion.jobs]
        crops = [self._extraction.crops.get(path) for path in paths]
        where = self._hash.options(scheduling_strategy=at(portion.node, only=False))
        portion.left.update(portion.jobs)
        portion.hashes = where.remote(paths, crops, self._extraction.timeout_seconds, self._folder)
        self._under_way.append(portion)

    def _awaited(self) -> Iterator[tuple[Any, tuple[_Portion, Callable[[_Portion], Iterator[Piece]]]]]:
        """What may come next, of which portion, and what is to be done then."""
        room = any(actor.has < actor.room for actor in self._actors)
        for portion in self._under_way:
            if portion.hashes is not None:
                yield portion.hashes, (portion, self._look_up)
            if portion.results:
                yield portion.results[0][2], (portion, self._take)
            if portion.parts is not None and (room or not portion.results):
                yield portion.parts, (portion, self._give_on)

    def _guarded(self, portion: _Portion, go_on: Callable[[_Portion], Iterator[Piece]]) -> Iterator[Piece]:
        """Goes on with a portion; where its task has died for good, its videos have failed."""
        try:
            yield from go_on(portion)
        except self._ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception) and not isinstance(cause, self._ray.exceptions.RayError):
                raise cause from error  # of our code, or of the backbone: as it would be raised here
            portion.parts = None
            for _, actor, _ in portion.results:
                actor.has -= 1
            portion.results.clear()
            portion.hashes = None
            yield self._given_up(portion, f"{type(error).__name__} on the cluster")
        if portion.hashes is None and portion.parts is None and not portion.results:
            if portion.left:
                yield self._given_up(portion, "its task on the cluster ended without a word of it")
            self._under_way.remove(portion)

    def _given_up(self, portion: _Portion, why: str) -> Piece:
        news: list[News] = [Failed(job, "crashed", why, 0) for job in sorted(portion.left)]
        portion.left.clear()
        return Piece(news)

    def _look_up(self, portion: _Portion) -> Iterator[Piece]:
        """Tells of what is there already, and has the others decoded."""
        hashes, portion.hashes = self._ray.get(portion.hashes), None
        missing: dict[int, dict[str, str]] = {}
        news: list[News] = []
        for job, found in zip(portion.jobs, hashes, strict=True):
            if isinstance(found, VideoError):
                news.append(Failed(job, found.reason, found.detail, found.frame))
            elif (look := self._extraction.store.look(found)).have:
                news.append(Hashed(job, found, have=True, truncated=look.truncated))
            else:
                missing[job] = {"hash": found, "damage": look.damage}
        portion.left = set(missing)
        if missing:
            portion.parts = self._decoded(portion.node, missing)
        yield Piece(news)

    def _decoded(self, node: str, hashes: dict[int, dict[str, str]]) -> Any:
        todo, backbone, spec = self._extraction, self._extraction.backbone, self._extraction.store.spec
        paths = [todo.paths[job] for job in hashes]
        how = {
            "size": backbone.size,
            "views": backbone.views,
            "fps": spec.fps,
            "decoder": todo.decoder,
            "image_fps": spec.image_fps,
            "timeout_seconds": todo.timeout_seconds,
            "crops": {path: todo.crops[path] for path in paths if path in todo.crops},
            "hashes": dict(zip(paths, hashes.values(), strict=True)),
        }
        where = self._decode.options(scheduling_strategy=at(node, only=False))
        return where.remote(list(hashes), paths, todo.batch_size, self._folder, how)

    def _give_on(self, portion: _Portion) -> Iterator[Piece]:
        """Hands the next batch to an actor."""
        try:
            part = next(portion.parts)
        except StopIteration:
            portion.parts = None
        else:
            portion.results.append(self._given(part, portion.node))
        yield from ()

    def _given(self, part: Any, node: str) -> tuple[Any, _Actor, Any]:
        actor = min(self._actors, key=lambda a: (a.has >= a.room, a.node != node, a.has / a.room))
        actor.has += 1
        return part, actor, actor.handle.run.remote(part)

    def _take(self, portion: _Portion) -> Iterator[Piece]:
        """Takes the features of the oldest batch."""
        part, actor, answer = portion.results[0]
        try:
            piece = self._ray.get(answer)
        except self._ray.exceptions.RayActorError as error:
            self._lose(actor, error)
            portion.results[0] = self._given(part, portion.node)
            return
        actor.has -= 1
        portion.results.popleft()
        portion.left -= {news.job for news in piece.news if isinstance(news, Ended | Failed)}
        yield piece

    def _lose(self, actor: _Actor, error: Exception) -> None:
        if actor in self._actors:
            self._actors.remove(actor)
        if not self._actors:
            raise RankError(f"no machine of the cluster is left to run the backbone: {error}") from error


def _actors(ray: Any, extraction: Extraction, build: Callable[..., Backbone]) -> list[_Actor]:
    """One a machine with all its cores, or one a GPU."""
    backbone, made = extraction.backbone, list[_Actor]()
    device = backbone.device.type
    for place in places_of(ray, device):
        room = AHEAD if device == "cuda" else place.threads + 1 + place.threads // 2
        kind = ray.remote(BackboneActor).options(
            **place.options, max_restarts=RETRIES, max_task_retries=RETRIES, max_concurrency=room
        )
        handle = kind.remote(build, device, backbone.spec, extraction.batch_size, place.threads, Path.cwd())
        made.append(_Actor(handle, place.node, room))
    return made
