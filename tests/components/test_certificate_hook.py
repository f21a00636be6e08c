"""The hook of the gateway's pods: what it says, and when it stops."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import look_first
from components.certificate_hook import look_for_certificate
from components.cluster_access import AccessOfProvider
from components.look_first import Looking
from rollouts import CertificateSecret, Sentence
from tests.components.programs import Record
from tests.diagnosis.api_server import ApiServer, running

SECRET = CertificateSecret(name="llm-tls", namespace="ai", wait_minutes=30)
NAMESPACE = "/api/v1/namespaces/ai"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []

    def say(sentences: Iterable[Sentence], _: pulumi.Resource) -> None:
        texts.extend(sentence.text for sentence in sentences)

    monkeypatch.setattr(look_first, "say", say)
    return texts


def before_update(record: Record, kubeconfig: Path) -> None:
    async def hook() -> None:
        access = AccessOfProvider(
            kubeconfig=pulumi.Output.from_input(str(kubeconfig)),
            context=pulumi.Output.from_input(None),
        )
        looking = Looking(
            look=lambda known, creates: look_for_certificate(SECRET, known, creates=creates),
            access=access,
            owner=pulumi.Stash("owner", input={}),
        )
        inputs: dict[str, Any] = {"kind": "Deployment"}
        await looking(
            pulumi.ResourceHookArgs(
                urn="u", id="i", name="n", type="t", new_inputs=inputs, old_inputs=inputs
            )
        )

    record(lambda: pulumi.Output.from_input(asyncio.ensure_future(hook())))


def test_an_absent_secret_stops_an_update(record: Record, tmp_path: Path, said: list[str]) -> None:
    with running(ApiServer()) as server:
        server.answers[NAMESPACE] = {"kind": "Namespace", "metadata": {"name": "ai"}}
        kubeconfig = server.kubeconfig(tmp_path)
        with pytest.raises(pulumi.RunError, match="llm-tls is no Secret of the namespace ai"):
            before_update(record, kubeconfig)
    assert said == []


def test_what_cannot_be_seen_is_said_and_stops_nothing(
    record: Record, tmp_path: Path, said: list[str]
) -> None:
    with running(ApiServer()) as server:
        server.answers[f"{NAMESPACE}/secrets/llm-tls"] = 403
        kubeconfig = server.kubeconfig(tmp_path)
        before_update(record, kubeconfig)
    before_update(record, kubeconfig)  # nobody answers any more
    refused, unreachable = said
    assert "was not looked for: you may not read the Secret ai/llm-tls. Its pods" in refused
    assert "was not looked for: the cluster cannot be asked for the Secret" in unreachable
