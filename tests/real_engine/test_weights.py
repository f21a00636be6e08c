"""A real vLLM reads, without the hub, the folder that the filling Job has kept.

No cluster: the Job is a process, and a folder stands for the mounted bucket.
"""

import os
import subprocess
from pathlib import Path

import pytest

from localcloud.cluster.ray_environments import DEFINITIONS, environment_in
from localcloud.store import programs_folder
from tests.manifests.weights.filling_job import Job
from tests.manifests.weights.hub_server import Hub, serving

pytestmark = pytest.mark.real_engine

SOURCE = "acme/small"
_PROGRAM = """
import sys
from vllm import LLM, SamplingParams

if __name__ == "__main__":
    model = LLM(model=sys.argv[1], max_model_len=256, enforce_eager=True, dtype="float32")
    question = [{"role": "user", "content": "hello"}]
    print(model.chat(question, SamplingParams(max_tokens=12, temperature=0))[0].outputs[0].text)
"""


def test_vllm_answers_from_the_kept_folder_with_the_hub_gone(tmp_path: Path) -> None:
    environment = environment_in(DEFINITIONS / "2.60.0-vllm", programs_folder())
    files = {path.name: path.read_bytes() for path in environment.model.iterdir()}
    with serving(Hub(repositories={SOURCE: files})) as hub:
        job = Job(hub, tmp_path, SOURCE)
        code, said = job.run()
        assert code == 0, said
        hub.sent_bytes = 0
        job.run()
        assert hub.sent_bytes == 0
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM, "utf-8")
    python = environment.installed / "bin"
    done = subprocess.run(
        [python / "python", program, job.kept],
        env={
            **environment.variables,
            "PATH": f"{python}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(tmp_path),
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Hello from a tiny model." in done.stdout
