"""The client of an API server, made by several hooks at once."""

import threading
import time
from typing import Any

import pytest

from components import kubernetes_client


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
