"""What an API server tells of the Secret of a certificate, and what it refuses to tell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.cluster_access import ClusterAccess
from components.kubernetes_client import UnreachableError
from components.live_certificate import RefusedError, certificate_in
from rollouts import Absence, CertificateSecret, SeenSecret
from tests.diagnosis.api_server import ApiServer, running

SECRET = CertificateSecret(name="llm-tls", namespace="ai", wait_minutes=30)
NAMESPACE = "/api/v1/namespaces/ai"
PATH = f"{NAMESPACE}/secrets/llm-tls"
HIDDEN = "aGlkZGVu"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running(ApiServer()) as made:
        yield made


def found(server: ApiServer, folder: Path) -> SeenSecret | Absence:
    return certificate_in(ClusterAccess(kubeconfig=str(server.kubeconfig(folder))), SECRET)


def object_of(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


def test_of_a_secret_only_filled_keys_are_kept(server: ApiServer, tmp_path: Path) -> None:
    server.answers[PATH] = object_of(
        "Secret", "llm-tls", type="kubernetes.io/tls", data={"tls.crt": HIDDEN, "tls.key": ""}
    )
    seen = found(server, tmp_path)
    assert seen == SeenSecret(keys=frozenset({"tls.crt"}))
    assert HIDDEN not in repr(seen)
    assert [path for _, path, _ in server.asked] == [PATH]


def test_a_secret_that_is_not_there_is_told_from_its_namespace(
    server: ApiServer, tmp_path: Path
) -> None:
    assert found(server, tmp_path) is Absence.NAMESPACE
    server.answers[NAMESPACE] = object_of("Namespace", "ai")
    assert found(server, tmp_path) is Absence.SECRET


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        (PATH, 403, "you may not read the Secret ai/llm-tls."),
        (NAMESPACE, 403, "you may not read the namespace ai."),
        (PATH, 500, f"the API server does not show the Secret ai/llm-tls (no {PATH})."),
    ],
)
def test_what_may_not_be_read_is_said(
    server: ApiServer, tmp_path: Path, path: str, code: int, reason: str
) -> None:
    server.answers[path] = code
    with pytest.raises(RefusedError) as refused:
        found(server, tmp_path)
    assert str(refused.value) == reason


def test_a_server_that_does_not_know_the_caller_is_said(server: ApiServer, tmp_path: Path) -> None:
    server.answers[PATH] = 401
    with pytest.raises(UnreachableError, match="does not know who you are"):
        found(server, tmp_path)


def test_a_server_that_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    with running(ApiServer()) as server:
        kubeconfig = server.kubeconfig(tmp_path)
    with pytest.raises(UnreachableError, match="cannot be asked for the Secret ai/llm-tls"):
        certificate_in(ClusterAccess(kubeconfig=str(kubeconfig)), SECRET)
