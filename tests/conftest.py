"""What holds for every test: one thread a process, no clock, the same numbers drawn on every machine."""

from __future__ import annotations

import gc
import importlib.util
import os
import random
import signal
import sys
from pathlib import Path

# A shell that runs the suite in the background has its programs ignore Ctrl-C, which tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

# xdist gives every core a process; more threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The processes that tests start find this checkout from any folder, and what lies outside site-packages.
ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

from typing import TYPE_CHECKING, Any  # noqa: E402

# torch waits for the tests: the process that only hands them out needs none of it.
import pytest  # noqa: E402
from hypothesis import HealthCheck, register_random, settings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A deadline is a clock, and so is "too slow". The examples follow from the test alone: what passes here
# passes anywhere, and what fails fails again. --hypothesis-profile search looks for new ones.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("suite"), derandomize=False, max_examples=1000)
settings.load_profile("suite")


class TorchRandom:
    """Lets every example start from the same numbers of torch: one that fails, fails again."""

    def seed(self, number: int) -> None:
        import torch

        torch.manual_seed(number)

    def getstate(self) -> Any:
        import torch

        return torch.get_rng_state()

    def setstate(self, state: Any) -> None:
        import torch

        torch.set_rng_state(state)


TORCH_RANDOM = TorchRandom()
register_random(TORCH_RANDOM)  # it keeps no reference of its own


def pytest_xdist_auto_num_workers() -> int:
    """One more than cores: tests of cameras, clusters and processes wait for a tenth of their time."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


LONG = ("end_to_end", "test_notebooks.py", "test_api.py", "backbones", "verbs")
"""Whose files take longest. They begin, so that no core waits for the last of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take longest first; all others stay in order."""

    def place(item: pytest.Item) -> int:
        begins = (item.nodeid.startswith(f"tests/{name}") for name in LONG)
        return next((number for number, here in enumerate(begins) if here), len(LONG))

    items.sort(key=place)
    on_a_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_a_gpu:
        import torch

        for item in on_a_gpu if not torch.cuda.is_available() else []:
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


ANEW = (
    *("backbones/", "cli/", "video/"),
    *(f"features/test_{name}" for name in ("bucket", "decode", "failures", "interruption")),
)
"""Where tests are of decode processes, networks and parsers themselves; all others share them."""
GLANCED_AT = ("tasks/", "test_api.py", "verbs/")
"""Where a picture has to be there, and is not looked at; that is done in ``render/`` and ``end_to_end/``."""
NOTHING: dict[str, Any] = {}


def among(item: pytest.Item, places: Iterable[str]) -> bool:
    return item.nodeid.startswith(tuple(f"tests/{place}" for place in places))


def pytest_collection_finish() -> None:
    """Takes what the imports made, some million objects, out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Shares what tests, and the fixtures they are the first to need, would start or build anew."""
    from tests.sharing import IN_PLACE, SHARED, SMALL_PICTURES

    shared = SMALL_PICTURES if among(item, GLANCED_AT) else SHARED
    IN_PLACE.put(NOTHING if among(item, ANEW) else shared)


def pytest_sessionfinish() -> None:
    """Ends the processes that were shared."""
    if "tests.sharing" in sys.modules:
        sys.modules["tests.sharing"].end_processes()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """What a test draws does not depend on the tests that ran before it in its process."""
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """Ray, connected to a cluster of two machines with a processor each, as far as it can tell."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed (pip install 'vidlstm[ray]', 240 MB)")
    from vidlstm.ray_cluster import import_ray

    ray = import_ray("auto")
    from ray.cluster_utils import Cluster

    there = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    there.add_node(num_cpus=1)
    ray.init(address=there.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield ray
    finally:
        ray.shutdown()
        there.shutdown()
