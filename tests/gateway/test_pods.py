"""What pods of the gateway do beside routing: TLS, limits that they share, and their memory."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from manifests.gateway.places import START_FILE
from planning.access import gateway_memory_mib
from tests.gateway.backend import running_backend
from tests.gateway.client import CHAT, ask, chat
from tests.gateway.gateway import running_gateway, write_folder
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model


def certificate(name: str) -> dict[str, str]:
    """A new self-signed certificate, as a Secret of type kubernetes.io/tls holds it."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    made = subprocess.run(
        [*command.split(), "-subj", f"/CN={name}", "-keyout", "-", "-out", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    end = "-----END PRIVATE KEY-----\n"
    private, _, chain = made.partition(end)
    return {"tls.key": private + end, "tls.crt": chain}


def shown(port: int) -> bytes | None:
    """The certificate that a port shows; None while it shows none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain) as secured,
        ):
            return secured.getpeercert(binary_form=True)
    except OSError:
        return None


def test_the_certificate_of_a_secret_is_shown_and_renewed(tmp_path: Path) -> None:
    plan = gateway_plan(key("all"), certificate="llm-tls")
    write_folder(tmp_path / "certificate", certificate("one"))
    with (
        running_backend() as backend,
        running_gateway(tmp_path, plan, {"": backend.port}, wait=False) as gateway,
    ):
        gateway.wait_for(lambda: shown(gateway.port) is not None, 60)
        first = shown(gateway.port)
        write_folder(tmp_path / "certificate", certificate("two"))
        gateway.wait_for(lambda: shown(gateway.port) not in {first, None})
        with pytest.raises(ConnectionError):
            chat(gateway, "a", "all")  # without TLS


def of_pods(number: int) -> Callable[[dict[str, str]], None]:
    """The start file of a gateway of so many pods."""

    def change(files: dict[str, str]) -> None:
        if START_FILE in files:
            start = json.loads(files[START_FILE])
            for cluster in start["static_resources"]["clusters"]:
                if cluster["name"] == start["cluster_manager"]["local_cluster_name"]:
                    [members] = cluster["load_assignment"]["endpoints"]
                    [one] = members["lb_endpoints"]
                    address = one["endpoint"]["address"]["socket_address"]
                    others = (f"127.0.0.{pod + 1}" for pod in range(number))
                    members["lb_endpoints"] = [
                        {"endpoint": {"address": {"socket_address": {**address, "address": other}}}}
                        for other in others
                    ]
            files[START_FILE] = json.dumps(start)

    return change


@pytest.mark.parametrize(("pods", "allowed"), [(1, 10), (2, 5)])
def test_pods_share_the_limit_of_a_key(tmp_path: Path, pods: int, allowed: int) -> None:
    plan = gateway_plan(key("all", per_minute=10), models=(model("a"),))
    with (
        running_backend() as backend,
        running_gateway(tmp_path, plan, {"": backend.port}, change=of_pods(pods)) as gateway,
    ):
        statuses = [chat(gateway, "a", "all").status for _ in range(13)]
    # A bucket fills while they are asked, by one in six seconds at most.
    assert allowed <= statuses.count(200) <= allowed + 2
    assert statuses.count(200) + statuses.count(429) == 13


@pytest.mark.parametrize("pods", [2, 3])
@pytest.mark.parametrize("limit", [1, 2])
def test_the_smallest_limits_let_a_request_pass(tmp_path: Path, pods: int, limit: int) -> None:
    """A rollout has a third pod."""
    plan = gateway_plan(key("all", per_minute=limit), models=(model("a"),))
    with (
        running_backend() as backend,
        running_gateway(tmp_path, plan, {"": backend.port}, change=of_pods(pods)) as gateway,
    ):
        statuses = [chat(gateway, "a", "all").status for _ in range(3)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_a_pod_that_cannot_find_its_peers_answers_all_the_same(tmp_path: Path) -> None:
    def nobody(files: dict[str, str]) -> None:
        if START_FILE in files:
            start = json.loads(files[START_FILE])
            for cluster in start["static_resources"]["clusters"]:
                if cluster["name"] == start["cluster_manager"]["local_cluster_name"]:
                    [members] = cluster["load_assignment"]["endpoints"]
                    [one] = members["lb_endpoints"]
                    one["endpoint"]["address"]["socket_address"]["address"] = "gateway.invalid"
            files[START_FILE] = json.dumps(start)

    plan = gateway_plan(key("all", per_minute=10), models=(model("a"),))
    with (
        running_backend() as backend,
        running_gateway(tmp_path, plan, {"": backend.port}, change=nobody) as gateway,
    ):
        assert chat(gateway, "a", "all").status == 200


def test_the_most_expensive_bodies_fit_into_the_memory(tmp_path: Path) -> None:
    """Each worker reads one, and some wait."""
    size = 4
    plan = gateway_plan(key("all"), models=(model("a"),), max_body_mib=size)
    numbers = b"1," * (size * 1024 * 1024 // 2 - 50) + b"1"
    body = b'{"model": "a", "prompt": [' + numbers + b"]}"
    with (
        running_backend() as backend,
        running_gateway(tmp_path, plan, {"": backend.port}) as gateway,
    ):
        threads = [
            threading.Thread(target=ask, args=(gateway, CHAT, body), kwargs={"team": "all"})
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(seen.body) for seen in backend.seen] == [len(body)] * 4
        status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    assert peak_kib / 1024 < gateway_memory_mib(size)
