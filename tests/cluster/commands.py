"""`ray-llm` as a person runs it on a stack of the cluster."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cluster.deployed import ClusterDeployment
from tests.engine.deployments import TOKEN

PROGRAM = Path(sys.executable).with_name("ray-llm")
Finding = dict[str, Any]


def command(
    deployment: ClusterDeployment,
    *arguments: str,
    kubeconfig: str | Path = "",
    seconds: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a command of `ray-llm` on the stack."""
    file = deployment.folder / f"Pulumi.{deployment.stack}.yaml"
    name, *others = arguments
    own = deployment.cluster.state.kubeconfig
    return subprocess.run(
        [PROGRAM, name, *others, "--stack-file", file, "--assume-token"],
        env={"KUBECONFIG": str(kubeconfig or own), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def doctor(deployment: ClusterDeployment) -> tuple[int, dict[str, Finding]]:
    """The exit code, and the findings by rule."""
    done = command(deployment, "doctor", "--json")
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    found = json.loads(done.stdout)["findings"]
    return done.returncode, {item["rule"]: item for item in found}
