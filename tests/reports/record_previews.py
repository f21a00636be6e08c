"""Records previews of the real engine for the tests of the pull request comment.

    python -m tests.reports.record_previews

deploys a small stack to the cloud on this machine, edits it, and writes what the engine printed to
tests/reports/previews/: the previews of the new stack, of no change, of some changes and of a
refused change, and the output. States are left out of the steps; everything else is unchanged.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from reports.plan_reading import summary_of_json

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).parent / "previews"

HEAD = """config:
  gcp:project: acme-ml
  gcp:region: us-central1
  ray-llm:cluster:
    name: llm-previews
    zones: [us-central1-a, us-central1-c]
    deletionProtection: false
  ray-llm:versions: {ray: 2.49.1}
"""
BEFORE = f"""{HEAD}  ray-llm:gpuPools:
    - {{tier: t4, maxNodes: 4}}
    - {{tier: l4, maxNodes: 4}}
  ray-llm:models:
    - {{model: qwen2.5-0.5b-instruct, gpu: t4}}
    - {{model: llama-3.1-8b-instruct, gpu: l4}}
"""
AFTER = f"""{HEAD}  ray-llm:gpuPools:
    - {{tier: t4, maxNodes: 4}}
    - {{tier: l4, name: l4, spot: true, maxNodes: 4}}
    - {{tier: l4-x2, maxNodes: 2}}
  ray-llm:models:
    - {{model: llama-3.1-8b-instruct, gpu: l4, contextLength: 4096}}
    - {{model: qwen2.5-14b-instruct, gpu: l4-x2}}
"""
BIGGER_POOL = BEFORE.replace("{tier: t4, maxNodes: 4}", "{tier: t4, maxNodes: 5}")
ELSEWHERE = f"{BEFORE}  ray-llm:service: {{namespace: other}}\n"
STOPPED = AFTER.replace("gpu: l4,", "gpu: l5,").replace("l4-x2}\n", "l4-x2, dtype: float17}\n")


def main() -> None:
    """Records all previews; takes some minutes."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(ROOT / name, project)
        stack_file = project / "Pulumi.recorded.yaml"
        stack_file.write_text(BEFORE, encoding="utf-8")
        _keep("create.json", _run(project, "preview", "--json"))
        try:
            _run(project, "up", "--yes", "--skip-preview")
            plan = summary_of_json(_run(project, "stack", "output", "plan", "--json"), "plan")
            _keep("output.json", json.dumps(plan))
            _keep("same.json", _run(project, "preview", "--json"))
            for name, text, *options in (
                ("change.json", AFTER),
                ("bigger-pool.json", BIGGER_POOL),
                ("elsewhere-refreshed.json", ELSEWHERE, "--refresh"),
            ):
                stack_file.write_text(text, encoding="utf-8")
                _keep(name, _run(project, "preview", "--json", *options))
            stack_file.write_text(STOPPED, encoding="utf-8")
            _keep("stop.json", _run(project, "preview", "--json", succeeds=False))
        finally:
            stack_file.write_text(BEFORE, encoding="utf-8")
            _run(project, "destroy", "--yes", "--skip-preview")


def _run(project: Path, *command: str, succeeds: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", "--project", project, *command, "--stack", "recorded"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if (done.returncode == 0) is not succeeds:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _keep(name: str, printed: str) -> None:
    document: dict[str, Any] = json.loads(printed)
    for step in document.get("steps", []):
        step.pop("oldState", None)
        step.pop("newState", None)
    (RECORDED / name).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
