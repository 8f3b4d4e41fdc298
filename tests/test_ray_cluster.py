"""What is said of a cluster before Ray is asked, which need not be installed."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from vidlstm import ray_cluster
from vidlstm.errors import SettingsError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that Ray was asked for."""
    asked = list[str]()

    def init(address: str, **_: Any) -> None:
        asked.append(address)

    ray = SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: None)
    monkeypatch.setattr(ray_cluster, "import_ray", lambda _: ray)
    return asked


def test_where_nobody_listens_ray_is_not_left_to_try_for_minutes(asked: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"127.0.0.1:{server.getsockname()[1]}"
        with ray_cluster.cluster(there):
            assert asked == [there]
    with (
        pytest.raises(SettingsError, match=rf"`address {there}`: no Ray cluster answers"),
        ray_cluster.cluster(there),
    ):
        pass
    assert asked == [there]


@pytest.mark.parametrize("address", ["auto", "ray://127.0.0.1:1"])
def test_other_addresses_are_for_ray_to_understand(address: str, asked: list[str]) -> None:
    with ray_cluster.cluster(address):
        assert asked == [address]


def test_a_port_that_cannot_be_is_refused(asked: list[str]) -> None:
    with pytest.raises(SettingsError, match="no Ray cluster answers"), ray_cluster.cluster("127.0.0.1:65536"):
        pass
    assert asked == []
