"""One process a device, over Lightning Fabric: started here, or by torchrun or SLURM."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import sys
import warnings
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from vidlstm.devices import resolve_device
from vidlstm.errors import RankError, SettingsError, VidlstmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment

    from vidlstm.features.ranks import Ranks

PROCESSES: Any = multiprocessing.get_context("spawn")
"""How they are started: nothing of this process is theirs, as GPUs want it."""


@contextlib.contextmanager
def together(
    devices: int, num_nodes: int, device: str | None, again: Callable[[], object]
) -> Iterator[tuple[Ranks | None, torch.device]]:
    """The processes that work together, and the device of this one.

    Args:
        devices: processes on this machine, one a device; 1 where this one is alone.
        num_nodes: machines. Where neither torchrun nor SLURM starts the processes, the command is given on
            each with ``MASTER_ADDR``, ``MASTER_PORT`` and ``NODE_RANK`` in its environment.
        device: the kind of device, or where this process is alone which one; see ``devices.resolve_device``.
        again: what a process that is started here calls: it comes to this function in turn.

    Raises:
        SettingsError: there are not so many devices, or another number of processes was started.
        RankError: a process that was started here has ended before its work was done.
    """
    if devices * num_nodes == 1:
        yield None, resolve_device(device)
        return
    from torch import distributed

    from vidlstm.features.ranks import Ranks

    with contextlib.ExitStack() as kept:
        kept.enter_context(_threads_and_variables())
        fabric = _fabric(devices, num_nodes, device)
        environment = fabric.strategy.cluster_environment
        others: list[BaseProcess] = []
        if not environment.creates_processes_externally:
            others = kept.enter_context(_siblings(environment, devices, devices * num_nodes, again))
        try:
            fabric.launch()
        except Exception as error:
            _end(others)  # which wait for this one
            raise SettingsError(f"`devices {devices}`, `num_nodes {num_nodes}`: {error}") from error
        kept.callback(distributed.destroy_process_group)
        ranks = Ranks()
        if ranks.rank:
            kept.enter_context(warnings.catch_warnings(action="ignore"))  # the first tells of all
        yield ranks, fabric.device


def speaks() -> bool:
    """Whether this process prints; of several that work or train together only the first does."""
    from lightning.fabric.utilities import rank_zero_only

    return not getattr(rank_zero_only, "rank", 0)


def quieten_loggers() -> None:
    """Leaves out what Lightning tells of hardware and of other products."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _fabric(devices: int, num_nodes: int, device: str | None) -> Any:
    from lightning.fabric import Fabric

    quieten_loggers()
    place = resolve_device(device)
    if ":" in str(place):
        raise SettingsError(
            f"`device {place}` is one alone; with `devices` give its kind: `device {place.type}`"
        )
    try:
        return Fabric(accelerator=place.type, devices=devices, num_nodes=num_nodes, strategy="ddp")
    except Exception as error:
        raise SettingsError(f"`devices {devices}`: {' '.join(str(error).split())}") from error


@contextlib.contextmanager
def _threads_and_variables() -> Iterator[None]:
    """Puts back what starting processes sets for good."""
    import torch

    threads, variables = torch.get_num_threads(), dict(os.environ)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        for added in os.environ.keys() - variables.keys():
            del os.environ[added]
        os.environ.update(variables)


@contextlib.contextmanager
def _siblings(
    environment: ClusterEnvironment, devices: int, size: int, again: Callable[[], object]
) -> Iterator[list[BaseProcess]]:
    """Starts the other processes of this machine, and waits for them at the end.

    Not Fabric's own launcher, which kills all as soon as one dies: they are to finish what they have.
    """
    variables = {
        "MASTER_ADDR": environment.main_address,
        "MASTER_PORT": str(environment.main_port),
        "NODE_RANK": str(environment.node_rank()),
        "WORLD_SIZE": str(size),
    }
    said, begun, others = PROCESSES.SimpleQueue(), PROCESSES.Semaphore(0), list[BaseProcess]()
    for rank in range(1, devices):
        own = {**variables, "LOCAL_RANK": str(rank)}
        others.append(PROCESSES.Process(target=_work, args=(own, begun, again, said)))
        others[-1].start()
    os.environ.update(variables, LOCAL_RANK="0")
    _wait_for(others, begun)
    try:
        yield others
    except RankError as error:
        _join(others)
        told = list(iter(lambda: None if said.empty() else said.get(), None))
        raise RankError("\n".join([str(error), *told, *_ended(others)])) from error
    except KeyboardInterrupt:
        _end(others)
        raise
    finally:
        _join(others)


def _wait_for(processes: list[BaseProcess], begun: Any) -> None:
    """Waits until all have begun; one that cannot would be waited for in vain later."""
    for _ in processes:
        while not begun.acquire(timeout=0.2):
            if any(process.exitcode is not None for process in processes):
                _end(processes)
                raise RankError("another process could not be started; see above")


def _work(variables: dict[str, str], begun: Any, again: Callable[[], object], said: Any) -> None:
    os.environ.update(variables)
    begun.release()
    try:
        again()
    except RankError:
        sys.exit(1)
    except VidlstmError as error:
        said.put(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(1)


def _join(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.join()


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()


def _ended(processes: list[BaseProcess]) -> list[str]:
    """Of those that a signal has ended, which; they could not say so themselves."""
    codes = {rank: process.exitcode or 0 for rank, process in enumerate(processes, 2)}
    return [f"process {rank} was ended by signal {-code}" for rank, code in codes.items() if code < 0]
