"""The servers that stacks use while the local cluster runs, tested without the cluster."""

import asyncio
import gzip
import io
import json
import ssl
import tarfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from localcloud.github import CHARTS_HOST, CRDS_HOST, answering, chart_files
from localcloud.providers.gcp.provider import CLUSTER, CONTROL_PLANE_VARIABLE, GcpProvider
from localcloud.providers.server import ProviderError, Resource
from localcloud.tunnel_proxy import TunnelProxy

INPUTS: dict[str, Any] = {
    "name": "llm",
    "project": "acme",
    "location": "us-central1",
    "initialNodeCount": 1,
}


@pytest.fixture
def gcp(provider_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GcpProvider:
    description = tmp_path / "endpoint.json"
    description.write_text(json.dumps({"endpoint": "127.0.0.1:1234", "certificate": "Q0E="}))
    monkeypatch.setenv(CONTROL_PLANE_VARIABLE, str(description))
    return GcpProvider()


def cluster(name: str) -> Resource:
    return Resource(f"urn:pulumi:s::p::{CLUSTER}::{name}", CLUSTER, name)


def test_a_created_cluster_is_reached_at_the_real_control_plane(gcp: GcpProvider) -> None:
    _, outputs = gcp.create(cluster("a"), INPUTS, preview=False)
    assert outputs["endpoint"] == "127.0.0.1:1234"
    assert outputs["masterAuth"]["clusterCaCertificate"] == "Q0E="


def test_a_second_cluster_is_refused_at_preview_and_at_up(gcp: GcpProvider) -> None:
    gcp.create(cluster("a"), INPUTS, preview=False)
    other = {**INPUTS, "name": "other"}
    _, failures = gcp.check(cluster("b"), {}, other, b"12345678")
    assert "already used as llm: destroy that stack first" in failures[0].reason
    with pytest.raises(ProviderError, match="already used as llm"):
        gcp.create(cluster("b"), other, preview=False)
    # The existing cluster may be read and changed.
    _, failures = gcp.check(cluster("a"), INPUTS, INPUTS, b"12345678")
    assert failures == []


def test_the_chart_has_a_name_a_version_and_templates() -> None:
    archive = chart_files()["/kuberay-helm/kuberay-operator-1.4.2.tgz"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as tar:
        assert "kuberay-operator/templates/deployment.yaml" in tar.getnames()
        about = tar.extractfile("kuberay-operator/Chart.yaml")
        assert about is not None
        assert b"version: 1.4.2" in about.read()


def test_the_proxy_has_kuberays_files_and_reaches_nothing_else(tmp_path: Path) -> None:
    base = "/ray-project/kuberay/v1.6.2/ray-operator/config/crd/bases"

    async def ask() -> None:
        authority = trustme.CA()
        github = TunnelProxy(lambda: authority, answering(tmp_path).get)
        port = await github.start()
        trusting = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        proxy = f"http://127.0.0.1:{port}"
        try:
            async with aiohttp.ClientSession() as session:

                async def get(url: str) -> tuple[int, str]:
                    async with session.get(url, proxy=proxy, ssl=trusting) as answer:
                        return answer.status, await answer.text()

                status, text = await get(f"https://{CRDS_HOST}{base}/ray.io_rayservices.yaml")
                assert status == 200
                assert "\nkind: CustomResourceDefinition\n" in text
                status, text = await get(f"https://{CRDS_HOST}{base}/other.yaml")
                assert status == 404
                assert "other.yaml" in text
                status, text = await get(f"https://{CHARTS_HOST}/kuberay-helm/index.yaml")
                assert status == 200
                assert "kuberay-operator-1.6.2.tgz" in text
                refusal = r"does not reach packages\.example"
                with pytest.raises(aiohttp.ClientHttpProxyError, match=refusal):
                    await get("https://packages.example/simple")
        finally:
            await github.stop()

    asyncio.run(ask())
