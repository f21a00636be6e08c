"""The gRPC side of a provider stand-in: one base class and `serve`.

Subclasses of `Provider` work on plain Python data and raise `ProviderError`.
This module turns engine requests into calls of their methods, and the results
into answers. Requests run on threads, so that a slow resource never blocks
another. Construct runs on the event loop, because the Pulumi SDK needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from google.protobuf.internal import api_implementation
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from localcloud.faults import InjectedFaultError
from localcloud.orphans import exit_with_parent
from localcloud.providers import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf import struct_pb2

    from localcloud.providers.diff import Kind

_CHANNEL_OPTIONS = [("grpc.max_receive_message_length", 1024 * 1024 * 400)]
_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class ProviderError(Exception):
    """A refusal, worded as the simulated API words it."""


@dataclass(frozen=True)
class Resource:
    """Which resource a request is about."""

    urn: str
    type: str
    name: str

    @classmethod
    def of(cls, urn: str) -> Resource:
        """Split a URN; the type is the last of a `parent$child` chain."""
        _, _, qualified, name = urn.split("::", 3)
        return cls(urn, qualified.rsplit("$", 1)[-1], name)


@dataclass(frozen=True)
class Failure:
    """One property that Check refuses."""

    property: str
    reason: str


@dataclass(frozen=True)
class Diff:
    """What an update would change, path by path."""

    changes: dict[str, tuple[Kind, bool]] = field(default_factory=dict)
    delete_before_replace: bool = False
    stables: tuple[str, ...] = ()


class Provider:
    """The answers of a stand-in; every method takes and returns plain data."""

    name: ClassVar[str]
    version: ClassVar[str]

    def check_config(self, news: dict[str, Any]) -> list[Failure]:
        """Refuse provider arguments."""
        raise NotImplementedError

    def diff_config(self, olds: dict[str, Any], news: dict[str, Any]) -> Diff:
        """Compare provider arguments."""
        raise NotImplementedError

    def configure(self, args: dict[str, Any]) -> None:
        """Store the provider's arguments; at preview some may be unknown."""
        raise NotImplementedError

    def check(
        self, res: Resource, olds: dict[str, Any], news: dict[str, Any], seed: bytes
    ) -> tuple[dict[str, Any], list[Failure]]:
        """The inputs with defaults, and the refused properties."""
        raise NotImplementedError

    def diff(self, res: Resource, old_inputs: dict[str, Any], news: dict[str, Any]) -> Diff:
        """What changed between the inputs of two programs."""
        raise NotImplementedError

    def create(
        self, res: Resource, inputs: dict[str, Any], preview: bool
    ) -> tuple[str, dict[str, Any]]:
        """Create and return id and outputs; a preview changes nothing."""
        raise NotImplementedError

    def read(
        self, res: Resource, id_: str, state: dict[str, Any], inputs: dict[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Id, outputs and inputs as the cloud has them; the id is empty if it is gone."""
        raise NotImplementedError

    def update(
        self,
        res: Resource,
        id_: str,
        old_inputs: dict[str, Any],
        inputs: dict[str, Any],
        preview: bool,
    ) -> dict[str, Any]:
        """Update in place and return the outputs; a preview changes nothing."""
        raise NotImplementedError

    def delete(self, res: Resource, id_: str, inputs: dict[str, Any]) -> None:
        """Delete; it is not an error if the resource is already gone."""
        raise NotImplementedError

    def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        """Answer a data source."""
        del args
        msg = f"the local cloud's {self.name} provider has no function {token}."
        raise ProviderError(msg)

    async def construct(
        self,
        request: provider_pb2.ConstructRequest,
        engine_address: str,
    ) -> provider_pb2.ConstructResponse:
        """Register a component and its children."""
        del engine_address
        msg = f"the local cloud's {self.name} provider has no component {request.type}."
        raise ProviderError(msg)


def _answers(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a `ProviderError` into a status that has only its text."""

    def handler(self: _Servicer, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request)
        except (ProviderError, InjectedFaultError) as error:
            context.set_code(grpc.StatusCode.UNKNOWN)
            context.set_details(str(error))
        except Exception as error:
            traceback.print_exc()
            context.set_code(grpc.StatusCode.INTERNAL)
            context.set_details(f"bug in the local cloud's provider: {error!r}")
        return None

    return handler


class _Servicer(provider_pb2_grpc.ResourceProviderServicer):
    def __init__(self, provider: Provider, engine_address: str) -> None:
        self.provider = provider
        self.engine_address = engine_address

    @_answers
    def GetPluginInfo(self, _request: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=self.provider.version)

    @_answers
    def Handshake(self, request: Any) -> Any:  # noqa: N802
        self.engine_address = request.engine_address or self.engine_address
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    @_answers
    def GetSchema(self, _request: Any) -> Any:  # noqa: N802
        return provider_pb2.GetSchemaResponse(
            schema=f'{{"name": "{self.provider.name}", "version": "{self.provider.version}"}}'
        )

    @_answers
    def CheckConfig(self, request: Any) -> Any:  # noqa: N802
        news = wire.decode(request.news)
        failures = self.provider.check_config(news)
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

    @_answers
    def DiffConfig(self, request: Any) -> Any:  # noqa: N802
        olds = wire.decode(request.old_inputs) or wire.decode(request.olds)
        return _diff_response(self.provider.diff_config(olds, wire.decode(request.news)))

    @_answers
    def Configure(self, request: Any) -> Any:  # noqa: N802
        self.provider.configure(wire.decode(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=True)

    @_answers
    def Check(self, request: Any) -> Any:  # noqa: N802
        inputs, failures = self.provider.check(
            Resource.of(request.urn),
            wire.decode(request.olds),
            wire.decode(request.news),
            request.randomSeed,
        )
        return provider_pb2.CheckResponse(
            inputs=_marked(inputs, request.news), failures=_failures(failures)
        )

    @_answers
    def Diff(self, request: Any) -> Any:  # noqa: N802
        diff = self.provider.diff(
            Resource.of(request.urn), wire.decode(request.old_inputs), wire.decode(request.news)
        )
        return _diff_response(diff)

    @_answers
    def Create(self, request: Any) -> Any:  # noqa: N802
        id_, outputs = self.provider.create(
            Resource.of(request.urn), wire.decode(request.properties), request.preview
        )
        return provider_pb2.CreateResponse(id=id_, properties=_marked(outputs, request.properties))

    @_answers
    def Read(self, request: Any) -> Any:  # noqa: N802
        id_, outputs, inputs = self.provider.read(
            Resource.of(request.urn),
            request.id,
            wire.decode(request.properties),
            wire.decode(request.inputs),
        )
        if not id_:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=id_,
            properties=_marked(outputs, request.properties),
            inputs=_marked(inputs, request.inputs),
        )

    @_answers
    def Update(self, request: Any) -> Any:  # noqa: N802
        outputs = self.provider.update(
            Resource.of(request.urn),
            request.id,
            wire.decode(request.old_inputs),
            wire.decode(request.news),
            request.preview,
        )
        return provider_pb2.UpdateResponse(properties=_marked(outputs, request.news))

    @_answers
    def Delete(self, request: Any) -> Any:  # noqa: N802
        self.provider.delete(Resource.of(request.urn), request.id, wire.decode(request.old_inputs))
        return empty_pb2.Empty()

    @_answers
    def Invoke(self, request: Any) -> Any:  # noqa: N802
        answer = provider_pb2.InvokeResponse()
        result = self.provider.invoke(request.tok, wire.decode(request.args))
        getattr(answer, "return").CopyFrom(wire.encode(result))
        return answer

    @_answers
    def Cancel(self, _request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    async def Construct(self, request: Any, context: Any) -> Any:  # noqa: N802
        try:
            return await self.provider.construct(request, self.engine_address)
        except ProviderError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _marked(values: dict[str, Any], request: struct_pb2.Struct) -> struct_pb2.Struct:
    return wire.encode(wire.with_secrets(values, wire.secret_parts(request)))


def _failures(failures: list[Failure]) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in failures]


def _diff_response(diff: Diff) -> provider_pb2.DiffResponse:
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some if diff.changes else none,
        replaces=[path for path, (_, replace) in diff.changes.items() if replace],
        diffs=list(diff.changes),
        stables=list(diff.stables),
        deleteBeforeReplace=diff.delete_before_replace,
        detailedDiff={
            path: provider_pb2.PropertyDiff(kind=_KINDS[change], inputDiff=True)
            for path, change in diff.changes.items()
        },
        hasDetailedDiff=True,
    )


def serve(provider: Provider) -> None:
    """Print the port on stdout and serve until the engine ends this process."""
    # A CRD's schema is nested deeper than the hundred levels that Python's protobuf
    # reads by default.
    if api_implementation.Type() == "upb":
        importlib.import_module("google._upb._message").SetAllowOversizeProtos(True)
    engine_address = next((a for a in sys.argv[1:] if not a.startswith("-")), "")

    exit_with_parent()

    async def run() -> None:
        server = grpc.aio.server(
            migration_thread_pool=ThreadPoolExecutor(max_workers=64), options=_CHANNEL_OPTIONS
        )
        servicer = _Servicer(provider, engine_address)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await server.wait_for_termination()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
