"""Runs the product's own smoke test script beside the nodes, as its Job does in a cluster."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.ray_releases.nodes import Nodes
from scripts.ray_releases.stack import Written

# Long enough for an engine that is started again; the Job's own limit is an hour.
DEADLINE_SECONDS = 400


def smoke_test(nodes: Nodes, written: Written) -> tuple[int, list[str]]:
    """Exit code and lines of the script. There is no Kubernetes API for it to read."""
    folder = nodes.folder / "smoke"
    _write(folder / "configs", written.llm_configs)
    _write(folder / "smoke_test", written.script)
    variables = {
        **written.script_variables,
        "LLM_CONFIGS": str(folder / "configs"),
        "SERVE_URL": nodes.serve_url,
        "DASHBOARD_URL": nodes.dashboard_url,
        "CLUSTER_DASHBOARD_URL": nodes.dashboard_url,
        "DEADLINE_SECONDS": str(DEADLINE_SECONDS),
        "PYTHONPATH": str(folder),
    }
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from smoke_test.main import main; sys.exit(main())",
        ],
        env=variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS + 120,
    )
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
