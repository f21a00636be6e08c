"""The address at which stacks reach the cluster: every write through it is strict."""

import asyncio
import base64
import json
import ssl
from typing import Any

import aiohttp
import pytest

from localcloud.cluster.kubernetes_api import Object
from localcloud.testing.running_cluster import RunningCluster

pytestmark = pytest.mark.cluster

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def send(local_cluster: RunningCluster, method: str, path: str, body: Object) -> tuple[int, str]:
    """One write as Pulumi's provider sends it, which asks only for warnings of unknown fields."""
    folder = local_cluster.state.control_plane
    endpoint = json.loads((folder / "endpoint.json").read_text(encoding="utf-8"))
    credential = json.loads((folder / "exec-credential.json").read_text(encoding="utf-8"))
    authority = base64.b64decode(endpoint["certificate"]).decode()
    apply = method == "PATCH"
    types = {"Content-Type": f"application/{'apply-patch+yaml' if apply else 'json'}"}
    params = {"fieldValidation": "Warn", **({"fieldManager": "pulumi"} if apply else {})}

    async def once() -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {credential['status']['token']}", **types}
        url = f"https://{endpoint['endpoint']}{path}"
        context = ssl.create_default_context(cadata=authority)
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(
                method, url, data=json.dumps(body), params=params, ssl=context
            ) as answer,
        ):
            return answer.status, await answer.text()

    return asyncio.run(once())


def config_map(name: str, **more: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


@pytest.mark.parametrize(("method", "suffix"), [("POST", ""), ("PATCH", "/strict")])
def test_a_field_that_kubernetes_does_not_know_is_refused(
    local_cluster: RunningCluster, method: str, suffix: str
) -> None:
    misspelt = config_map("strict", dataa={"a": "b"})
    status, text = send(local_cluster, method, CONFIG_MAPS + suffix, misspelt)
    assert status in (400, 422, 500), text
    assert "dataa" in text
    assert local_cluster.items(f"{CONFIG_MAPS}?fieldSelector=metadata.name%3Dstrict") == []


def test_what_is_right_passes(local_cluster: RunningCluster) -> None:
    path = f"{CONFIG_MAPS}/right"
    status, text = send(local_cluster, "PATCH", path, config_map("right", data={"a": "b"}))
    assert status == 201, text
    assert local_cluster.get(path)["data"] == {"a": "b"}
    local_cluster.delete(path)
