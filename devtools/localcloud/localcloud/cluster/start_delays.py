"""How long a machine takes to come up and an image to be pulled: no time, unless a file says so.

`start-delays.json` in the cluster's folder is {"node": 240, "image": 120}, in seconds: from the
autoscaler's decision until the node is there, and on each node for each image until the first pod
with it goes on. Read at each decision and each pull.
"""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START_DELAYS: Final = "start-delays.json"


@dataclass(frozen=True)
class StartDelays:
    """In seconds."""

    node: float = 0
    image: float = 0

    @classmethod
    def read(cls, path: Path) -> "StartDelays":
        """What the file says; no delays without one, or with one that is being written."""
        with contextlib.suppress(ValueError, TypeError, OSError):
            return cls(**json.loads(path.read_text()))
        return cls()


class NodeImages:
    """Which node has pulled which image, and how long a pull takes."""

    def __init__(self, delays: Path):
        self._delays = delays
        self._pulled_at: dict[tuple[str, str], float] = {}

    async def pull(self, node: str, image: str) -> None:
        """Return once the node has the image; a pull that has begun is not begun again."""
        now = time.monotonic()
        seconds = StartDelays.read(self._delays).image
        await asyncio.sleep(self._pulled_at.setdefault((node, image), now + seconds) - now)
