"""The client of an API server, made by several hooks at once."""

import threading
import time
from typing import Any

import pytest
from lightkube.core.resource import Resource

from components import (
    custom_resource_definitions,
    kubernetes_client,
    live_certificate,
    live_ray_service,
)


class Access:
    """The way to a cluster."""

    context = None

    def content(self) -> tuple[dict[str, Any], None]:
        return {}, None


def test_one_thread_at_a_time_reads_a_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = 0
    most = 0

    def read(*_: object, **__: object) -> Any:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        time.sleep(0.01)
        reading -= 1
        raise ValueError("no cluster")

    monkeypatch.setattr(kubernetes_client.KubeConfig, "from_dict", read)

    def ask() -> None:
        with pytest.raises(kubernetes_client.UnreachableError):
            kubernetes_client.connect(Access())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_every_kind_that_hooks_ask_for_is_known_before_they_do() -> None:
    """Else the threads of two hooks may learn it at once, which ended `pulumi up` (SIGSEGV)."""
    for module in (custom_resource_definitions, live_certificate, live_ray_service):
        kinds = {
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Resource)
        }
        assert kinds
        assert kinds <= kubernetes_client._prepared, module.__name__
