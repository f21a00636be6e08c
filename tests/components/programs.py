"""Runs components under Pulumi's mocks and records every registration as the engine would get it.

What mocks do not prove: that a provider accepts the arguments (a misspelt key passes), that the
engine orders, replaces and deletes as the options say, that hooks run, or that anything works.
tests/engine runs the same components on the real engine with providers that check every key.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import rpc
from pulumi.runtime._callbacks import _CallbackServicer

from models.catalog import DEFAULT_KUBERAY
from models.reading import reading_of
from models.stack import (
    ClusterSettings,
    GpuPoolSettings,
    KubeRaySettings,
    ModelDeployment,
    ReplicaSettings,
    StackSettings,
    Versions,
)
from planning import Plan, make_plan

CLUSTER = ClusterSettings(
    name="llm-test", zones=("us-central1-a", "us-central1-c"), deletion_protection=False
)


def settings(**changes: Any) -> StackSettings:
    values: dict[str, Any] = {
        "stack": "test",
        "project": "acme-ml",
        "region": "us-central1",
        "cluster": CLUSTER,
        "has_hugging_face_token": True,
        "gpu_pools": (
            GpuPoolSettings(tier="t4"),
            GpuPoolSettings(tier="l4", spot=True),
            GpuPoolSettings(tier="l4-x2"),
        ),
        "models": (
            ModelDeployment(model="qwen2.5-0.5b-instruct", replicas=ReplicaSettings(min=1, max=2)),
            ModelDeployment(model="mistral-7b-instruct-v0.3", gpu="l4-spot"),
        ),
    }
    return StackSettings(**{**values, **changes})


def plan_of(**changes: Any) -> Plan:
    return make_plan(reading_of(settings(**changes)))


def with_kuberay(install: Any) -> Plan:
    # The operator of somebody else has a release that only the cluster knows, so it is stated.
    versions = Versions(kuberay=DEFAULT_KUBERAY)
    return plan_of(kube_ray=KubeRaySettings(install=install), versions=versions)


@pytest.fixture(scope="session")
def plan() -> Plan:
    return plan_of()


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One registered resource: `inputs` without secret marks, `raw` as they were sent."""

    type: str
    name: str
    urn: str
    parent: str
    custom: bool
    inputs: Mapping[str, Any]
    raw: str
    ignore_changes: list[str]
    dependencies: list[str]
    property_dependencies: Mapping[str, list[str]]
    provider: str
    delete_before_replace: bool
    additional_secret_outputs: list[str]
    aliases: list[str]
    create_timeout: str


@dataclass
class Recording:
    """Everything that a program registered and called."""

    registrations: list[Registration] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    result: Any = None

    def of_type(self, ending: str) -> list[Registration]:
        return [item for item in self.registrations if item.type.endswith(ending)]

    def one(self, ending: str) -> Registration:
        (found,) = self.of_type(ending)
        return found

    def named(self, name: str) -> Registration:
        (found,) = [item for item in self.registrations if item.name == name]
        return found


_SECRET_KEY = {rpc._special_sig_key: rpc._special_secret_sig, "value": "key"}


class _Cloud(pulumi.runtime.Mocks):
    """Answers with the inputs and with the outputs that Google's API would add."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def new_resource(
        self, args: pulumi.runtime.MockResourceArgs
    ) -> tuple[str | None, dict[Any, Any]]:
        outputs = dict(args.inputs)
        if args.typ == "gcp:container/cluster:Cluster":
            outputs |= {
                "endpoint": "203.0.113.7",
                "masterAuth": {
                    "clusterCaCertificate": "Q0E=",
                    # Google's provider marks the client key as secret, and so all of masterAuth.
                    "clientKey": _SECRET_KEY,
                },
            }
        return f"{args.name}-id" if args.custom else "", outputs

    def call(
        self, args: pulumi.runtime.MockCallArgs
    ) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        self.recording.calls.append(args.token)
        if args.token == "gcp:container/getCluster:getCluster":
            return {
                **args.args,
                "endpoint": "203.0.113.9",
                "masterAuths": [{"clusterCaCertificate": "Q0E=", "clientKey": _SECRET_KEY}],
            }, []
        return {}, []


class _Monitor(pulumi_mocks.MockMonitor):
    def __init__(self, recording: Recording) -> None:
        super().__init__(_Cloud(recording))
        self.recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self.recording.registrations.append(
                Registration(
                    type=request.type,
                    name=request.name,
                    urn=response.urn,
                    parent=request.parent,
                    custom=request.custom,
                    inputs=_plain(rpc.deserialize_properties(request.object)),
                    raw=json.dumps(json_format.MessageToDict(request.object)),
                    ignore_changes=list(request.ignoreChanges),
                    dependencies=list(request.dependencies),
                    property_dependencies={
                        key: list(value.urns) for key, value in request.propertyDependencies.items()
                    },
                    provider=request.provider,
                    delete_before_replace=request.deleteBeforeReplace,
                    additional_secret_outputs=list(request.additionalSecretOutputs),
                    aliases=[alias.spec.name for alias in request.aliases],
                    create_timeout=request.customTimeouts.create,
                )
            )
        return response


class _Callbacks(_CallbackServicer):
    """Takes the registration of hooks, without which a component that has some does not run."""

    def __init__(self) -> None:
        """Without a server."""

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """Forget the hook."""


def _plain(value: Any) -> Any:
    """The value without secret marks, to read what providers would get."""
    if rpc.is_rpc_secret(value):
        return _plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


Record = Callable[[Callable[[], Any]], Recording]


@pytest.fixture(autouse=True)
def event_loop() -> None:
    """Make a loop for Pulumi's outputs; asyncio.run() in an earlier test leaves none behind."""
    try:
        asyncio.get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


@pytest.fixture
def record() -> Record:
    """A function that runs a program under mocks and stores its awaited result as `result`."""

    def run(program: Callable[[], Any]) -> Recording:
        recording = Recording()
        monitor = _Monitor(recording)
        pulumi.runtime.set_mocks(
            monitor.mocks, project="ray-llm", stack="test", preview=False, monitor=monitor
        )

        # Pulumi's mocks have nobody to register a hook with; hooks do not run here.
        pulumi.runtime.settings.SETTINGS.callbacks = _Callbacks()

        @pulumi.runtime.test
        def awaited() -> Any:
            def keep(value: Any) -> None:
                recording.result = value

            made = program()
            # A component cannot be awaited, but `test` waits for its registrations anyway.
            return pulumi.Output.from_input(
                None if isinstance(made, pulumi.Resource) else made
            ).apply(keep)

        awaited()
        return recording

    return run
