"""Pods of the Job that fills the bucket, as processes on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

from manifests.weights.script_files import COMMAND, FOLDER, script_files
from tests.manifests.weights.hub_server import Hub


class Job:
    """Pods of the Job, one after the other; the bucket outlives them, the staging folder not."""

    def __init__(self, hub: Hub, folder: Path, source: str) -> None:
        self.source = source
        self.hub, self.bucket = hub, folder / "bucket"
        self.home, self.code = folder / "home", folder / "code"
        self.token = folder / "token"
        self.pods = 0
        for path, text in script_files().items():
            (self.code / path).parent.mkdir(parents=True, exist_ok=True)
            (self.code / path).write_text(text, "utf-8")
        self.home.mkdir()
        self.bucket.mkdir()

    @property
    def kept(self) -> Path:
        return self.bucket / self.source / "main"

    def started(self, *sources: str, revision: str = "main") -> "subprocess.Popen[str]":
        self.pods += 1
        staging = self.home / f"staging-{self.pods}"
        repositories = [
            {
                "source": source,
                "revision": revision,
                "folder": f"{source}/{revision}",
                "anyFormat": False,
            }
            for source in sources or (self.source,)
        ]
        environment = {
            **{key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ},
            "HOME": str(self.home),
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "REPOSITORIES": json.dumps(repositories),
            "TARGET": str(self.bucket),
            "STAGING": str(staging),
            "TOKEN_FILE": str(self.token),
            "FILL_PAUSE_SECONDS": "0",
        }
        command = [part.replace(FOLDER, str(self.code)) for part in COMMAND[1:]]
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *sources: str, revision: str = "main") -> tuple[int, str]:
        process = self.started(*sources, revision=revision)
        said, _ = process.communicate()
        return process.returncode, said
