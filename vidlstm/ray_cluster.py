"""Engines that there are; a connection to a Ray cluster, or one of its own on this machine; and where in it
actors run that compute.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from vidlstm.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENGINES = ("local", "ray")
"""Where videos are worked through: on this machine, or on a cluster."""
PIP = "pip install 'vidlstm[ray]'"
ANSWER_SECONDS = 10.0
"""Longest wait for a cluster to take a connection."""
RETRIES = 3
"""How often Ray does again what a dead worker had."""


def check_engine(name: str, address: str | None) -> None:
    """Refuses an engine that is not there, before any work.

    Args:
        name: one of ``ENGINES``.
        address: of a Ray cluster, see :func:`cluster`.

    Raises:
        SettingsError: there is none of this name, it does not go with the address, or Ray is not installed.
    """
    if name not in ENGINES:
        raise SettingsError(
            f"`engine {name}`: there is no such engine{nearest(name, ENGINES)}", setting="engine"
        )
    if name == "ray":
        import_ray(address)
    elif address is not None:
        raise SettingsError("`address` is that of a Ray cluster, and has no effect without `engine ray`")


def import_ray(address: str | None) -> Any:
    """The package; it reports nothing to its makers.

    Args:
        address: see :func:`cluster`.

    Raises:
        SettingsError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a warning of a change to come
    if address is None:  # what Ray does elsewhere than on Linux: its processes listen on the loopback alone
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError as error:
        raise SettingsError(f"`engine ray` needs a package that is not installed: {PIP}") from error
    return ray


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """The package, connected.

    Args:
        address: ``HOST:PORT`` of a cluster, or auto for the one that this machine belongs to; None starts one
            on this machine, which listens to nobody else (unless Ray was imported before), and ends it
            afterwards. Where ``ray.init`` was called before, that is used.

    Raises:
        SettingsError: the package is not installed, or none answers there.
    """
    ray = import_ray(address)
    if ray.is_initialized():
        yield ray
        return
    own = {"address": "local", "include_dashboard": False}
    where: dict[str, Any] = own if address is None else {"address": address}
    try:
        if address is not None:
            _knock(address)
        with _own_sigterm():
            ray.init(**where, log_to_driver=False, logging_level="ERROR")
    except (OSError, OverflowError, ValueError, RuntimeError) as error:
        raise SettingsError(
            f"`address {address}`: no Ray cluster answers there: {error}; one that asks for a token wants "
            "RAY_AUTH_MODE=token in the environment, too"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises an OSError where nobody listens: Ray would try for many minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS):
            pass


@contextlib.contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray ends a process at SIGTERM in its own way; ours clears away what was begun."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():  # which alone may set it
            signal.signal(signal.SIGTERM, before)


def go_to(folder: Path) -> None:
    """Makes a folder that of this worker, so that names which are not whole mean there what they mean here.

    A machine that lacks it finds what has whole names.
    """
    with contextlib.suppress(OSError):
        os.chdir(folder)


def nodes_of(ray: Any) -> list[tuple[str, dict[str, float]]]:
    """The machines that have processors for us: their names and resources."""
    alive = [(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    return [(name, resources) for name, resources in alive if resources.get("CPU", 0) >= 1]


def at(node: str, *, only: bool) -> Any:
    """How Ray is told where something is to run: there, or if ``only`` nowhere else."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=not only)


class Place(NamedTuple):
    """Where an actor runs that computes: a machine with all its cores, or one GPU.

    Attributes:
        node: the machine.
        threads: of its processors.
        options: of the actor, in Ray's words.
    """

    node: str
    threads: int
    options: dict[str, Any]


def places_of(ray: Any, device: str) -> list[Place]:
    """One a machine, or one a GPU.

    Args:
        ray: the package, connected.
        device: cpu or cuda.

    Raises:
        SettingsError: there is none.
    """
    places = list[Place]()
    for node, resources in nodes_of(ray):
        gpus = int(resources.get("GPU", 0)) if device == "cuda" else None
        threads = int(resources["CPU"]) if gpus is None else 1
        options = {
            "num_cpus": 0,
            "num_gpus": 0 if gpus is None else 1,
            "scheduling_strategy": at(node, only=True),
        }
        places += [Place(node, threads, options)] * (1 if gpus is None else gpus)
    if not places:
        raise SettingsError(f"`engine ray`: the cluster has no {device} for `device {device}`")
    return places
