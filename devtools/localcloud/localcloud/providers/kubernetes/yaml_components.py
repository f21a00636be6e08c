"""`yaml/v2` ConfigGroup and ConfigFile: components whose children are YAML objects.

Each object becomes a real child resource of the component, named
`<prefix>:<namespace>/<name>`, as with the real provider. Namespaces and CRDs
are created first, and everything else depends on them.
"""

from __future__ import annotations

import asyncio
import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import grpc
import yaml
from pulumi.runtime.proto import provider_pb2, resource_pb2, resource_pb2_grpc

from localcloud.providers import wire
from localcloud.providers.kubernetes import crds
from localcloud.providers.server import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG_GROUP: Final = "kubernetes:yaml/v2:ConfigGroup"
CONFIG_FILE: Final = "kubernetes:yaml/v2:ConfigFile"
_FIRST: Final = ("Namespace", "CustomResourceDefinition")
_MESSAGE_SIZE: Final = [("grpc.max_receive_message_length", 1024 * 1024 * 400)]


def objects_of(type_: str, inputs: dict[str, Any], cache: Path) -> list[dict[str, Any]]:
    """All objects that a component's inputs name, lists expanded, in order."""
    documents: list[Any] = []
    files = [inputs["file"]] if type_ == CONFIG_FILE else inputs.get("files") or []
    for file in files:
        documents += _documents(file, cache)
    documents += inputs.get("objs") or []
    if inputs.get("yaml"):
        documents += yaml.load_all(inputs["yaml"], yaml.CSafeLoader)
    found = list(_expanded(documents))
    return sorted(found, key=lambda obj: obj["kind"] not in _FIRST)


def _documents(file: str, cache: Path) -> list[Any]:
    if file.startswith(("http://", "https://")):
        return list(crds.documents_at(file, cache))
    paths = sorted(glob.glob(file))
    if not paths:
        msg = f"no file matches {file!r}."
        raise ProviderError(msg)
    return [
        document
        for path in paths
        for document in yaml.load_all(Path(path).read_text(encoding="utf-8"), yaml.CSafeLoader)
    ]


def _expanded(documents: list[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict) or not {"apiVersion", "kind"} <= document.keys():
            msg = "a YAML document without apiVersion and kind is not a Kubernetes object."
            raise ProviderError(msg)
        if document["kind"].endswith("List") and isinstance(document.get("items"), list):
            yield from _expanded(document["items"])
        else:
            yield document


def child_type(obj: dict[str, Any]) -> str:
    """Pulumi's type token of an object."""
    version = obj["apiVersion"]
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{obj['kind']}"


def child_name(prefix: str, obj: dict[str, Any]) -> str:
    """The resource name of an object in a component."""
    metadata = obj.get("metadata") or {}
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return f"{prefix}:{namespace}/{name}" if namespace else f"{prefix}:{name}"


async def construct(
    request: provider_pb2.ConstructRequest, cache: Path, version: str
) -> provider_pb2.ConstructResponse:
    """Register the component and its children with the engine."""
    inputs = wire.decode(request.inputs)
    if wire.has_unknown(inputs):
        msg = f"{request.name}: inputs that are not known at preview are not supported."
        raise ProviderError(msg)
    objects = await asyncio.to_thread(objects_of, request.type, inputs, cache)
    async with grpc.aio.insecure_channel(request.monitorEndpoint, options=_MESSAGE_SIZE) as channel:
        # The stub's awaitable form has a separate type but no class.
        stub = resource_pb2_grpc.ResourceMonitorStub(channel)
        monitor = cast("resource_pb2_grpc.ResourceMonitorAsyncStub", stub)
        component = await monitor.RegisterResource(
            resource_pb2.RegisterResourceRequest(
                type=request.type,
                name=request.name,
                parent=request.parent,
                object=request.inputs,
                dependencies=request.dependencies,
                providers=request.providers,
                protect=request.protect,
                aliases=request.aliases,
                retainOnDelete=request.retainOnDelete,
                aliasSpecs=True,
                acceptSecrets=True,
            )
        )
        prefix = inputs.get("resourcePrefix") or request.name
        urns: list[str] = []
        for first in (True, False):
            urns += await asyncio.gather(
                *(
                    _register(monitor, request, component.urn, obj, prefix, urns, version)
                    for obj in objects
                    if (obj["kind"] in _FIRST) is first
                )
            )
        await monitor.RegisterResourceOutputs(
            resource_pb2.RegisterResourceOutputsRequest(urn=component.urn)
        )
    return provider_pb2.ConstructResponse(urn=component.urn)


async def _register(
    monitor: resource_pb2_grpc.ResourceMonitorAsyncStub,
    request: provider_pb2.ConstructRequest,
    parent: str,
    obj: dict[str, Any],
    prefix: str,
    dependencies: list[str],
    version: str,
) -> str:
    """Register one child; raises ProviderError when the engine refuses it."""
    try:
        answer = await monitor.RegisterResource(
            resource_pb2.RegisterResourceRequest(
                type=child_type(obj),
                name=child_name(prefix, obj),
                parent=parent,
                custom=True,
                object=wire.encode(obj),
                dependencies=[*request.dependencies, *dependencies],
                provider=request.providers.get("kubernetes", ""),
                version=version,
                protect=request.protect,
                retainOnDelete=request.retainOnDelete,
                acceptSecrets=True,
                supportsPartialValues=True,
            )
        )
    except grpc.RpcError as error:
        msg = f"{child_name(prefix, obj)}: {error.details()}"
        raise ProviderError(msg) from error
    urn: str = answer.urn
    return urn
