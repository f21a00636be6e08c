"""The network of one pod, for every Python process that runs in it.

On a real cluster each pod has its own address; all pods of the local cluster
share 127.0.0.1. `POD_PORTS` ("8000:23456,...") maps the pod's ports to ports of
this machine. A server that binds a mapped port gets the local port on 127.0.0.1,
whatever address it asked for; a gRPC server, whose sockets are not Python's, is
kept on 127.0.0.1 too. A connection to the name of a Service goes to the cluster's
proxy, which finds the Service by the request's Host header, so this works only
for HTTP.

There are two shortcuts. The process becomes a fork of one that has imported the
same libraries (fork_client.py). And `ray.rllib` is replaced: `ray.serve.llm`
imports all of it for a decorator that warns about old names. Without it a replica
starts in half the time and takes half the memory.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from importlib.machinery import ModuleSpec, PathFinder

# Every Python process of every pod runs this first, so nothing is imported only for types.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from types import ModuleType
    from typing import Any
else:
    Loader = object

_bind = socket.socket.bind
_create_connection = socket.create_connection
_ports: dict[int, int] = {}
_proxy: str | None = None
_service = re.compile("")


def join_pod() -> None:
    """Join the network of the pod that the environment describes."""
    global _ports, _proxy, _service
    pairs = [pair.split(":") for pair in os.environ.get("POD_PORTS", "").split(",") if pair]
    _ports = {int(inside): int(here) for inside, here in pairs}
    _proxy = os.environ.get("POD_PROXY_PORT")
    namespace = re.escape(os.environ.get("POD_NAMESPACE", "default"))
    _service = re.compile(
        rf"[a-z0-9-]+\.({namespace}|[a-z0-9-]+\.svc|[a-z0-9-]+\.svc\.cluster\.local)\.?"
    )


def _bind_in_pod(self: socket.socket, address: Any) -> None:
    if self.family == socket.AF_INET and address[1] in _ports:
        address = ("127.0.0.1", _ports[address[1]])
    return _bind(self, address)


def _connect_in_cluster(
    address: tuple[str | None, int], *args: Any, **kwargs: Any
) -> socket.socket:
    if _proxy and _service.fullmatch(str(address[0])):
        address = ("127.0.0.1", int(_proxy))
    return _create_connection(address, *args, **kwargs)


class _WithoutRllib(Loader):
    """Finds and loads an empty `ray.rllib`, whose only content is the decorator."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "ray.rllib" or name.startswith("ray.rllib."):
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, _spec: ModuleSpec) -> None:
        """Create the module in the default way."""

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["Deprecated"] = lambda **_: lambda decorated: decorated


class _GrpcOnLoopback(Loader):
    """Loads `grpc.aio` with servers that listen on 127.0.0.1 in place of all addresses.

    From 2.60.0 on each replica of Ray Serve has such a server for the other replicas.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "grpc.aio._server":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec and spec.loader:
            self._real, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        listen = module.Server.add_insecure_port

        def on_loopback(server: Any, address: str) -> int:
            host, _, port = address.rpartition(":")
            here = "127.0.0.1" if host in ("[::]", "0.0.0.0") else host
            port_number: int = listen(server, f"{here}:{port}")
            return port_number

        module.Server.add_insecure_port = on_loopback


sys.meta_path[:0] = [_WithoutRllib(), _GrpcOnLoopback()]
for owner, name, replacement in (
    (socket.socket, "bind", _bind_in_pod),
    (socket, "create_connection", _connect_in_cluster),
):
    setattr(owner, name, replacement)
join_pod()
if "FORK_SERVER" in os.environ:
    import fork_client

    fork_client.run_command_as_fork(os.environ["FORK_SERVER"])
