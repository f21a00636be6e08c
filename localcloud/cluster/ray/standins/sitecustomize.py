"""The port mapping of one pod, for every Python process that runs in it.

A pod has an address of its own; all pods of the local cluster share
127.0.0.1. `POD_PORTS` ("8000:23456,...") says which port of this machine
stands for which port of the pod: a server that binds a mapped port gets that
one, on 127.0.0.1, whatever address it asked for.
"""

import os
import socket

_PAIRS = [pair.split(":") for pair in os.environ.get("POD_PORTS", "").split(",") if pair]
_PORTS = {int(inside): int(here) for inside, here in _PAIRS}
_bind = socket.socket.bind


def _bind_in_pod(self, address):
    if self.family == socket.AF_INET and address[1] in _PORTS:
        address = ("127.0.0.1", _PORTS[address[1]])
    return _bind(self, address)


if _PORTS:
    socket.socket.bind = _bind_in_pod
