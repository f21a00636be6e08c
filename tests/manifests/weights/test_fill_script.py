"""The program that fills the bucket: real, with huggingface_hub, against a hub on loopback.

A folder stands for the mounted bucket: what Cloud Storage FUSE itself does is not shown here.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manifests.weights.script.exit_codes import HOPELESS
from manifests.weights.script.folder import RECORD
from manifests.weights.script.hub import kept_paths
from manifests.weights.script_files import script_files
from tests.manifests.weights.filling_job import Job
from tests.manifests.weights.hub_server import COMMIT, LARGE, Hub, serving

SOURCE = "acme/small"
WEIGHTS = bytes(range(256)) * (LARGE // 64)
FILES = {
    "config.json": b'{"model_type": "small"}',
    "model-00001-of-00002.safetensors": WEIGHTS,
    "model-00002-of-00002.safetensors": WEIGHTS[::-1],
    "pytorch_model.bin": WEIGHTS,
    "1_Pooling/config.json": b"{}",
}
KEPT = set(FILES) - {"pytorch_model.bin"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub(repositories={SOURCE: dict(FILES)})) as running:
        yield running


def holds_everything(job: Job) -> bool:
    found = {
        str(path.relative_to(job.kept)): path.read_bytes()
        for path in job.kept.rglob("*")
        if path.is_file() and path.name != RECORD
    }
    return found == {path: FILES[path] for path in KEPT}


@pytest.fixture
def job(hub: Hub, tmp_path: Path) -> Job:
    return Job(hub, tmp_path, SOURCE)


def test_a_second_start_moves_no_byte_from_the_hub_and_asks_nothing(job: Job, hub: Hub) -> None:
    code, said = job.run()
    assert (code, holds_everything(job)) == (0, True), said
    assert f"complete at {COMMIT}" in said
    assert hub.sent_bytes == sum(len(FILES[path]) for path in KEPT)
    hub.asked.clear()
    hub.sent_bytes = 0
    code, said = job.run()
    assert code == 0
    assert "complete, nothing to fetch" in said
    assert (hub.sent_bytes, hub.asked) == (0, [])


def test_a_job_that_was_killed_goes_on_with_the_files_that_it_had_not(job: Job, hub: Hub) -> None:
    process = job.started()
    first = job.kept / "model-00001-of-00002.safetensors"
    until = time.monotonic() + 60
    while not first.exists() or first.stat().st_size < len(WEIGHTS):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.001)
    process.kill()
    process.communicate()
    (job.kept / RECORD).unlink(missing_ok=True)  # if it was as fast as that
    before = len(hub.asked)
    hub.sent_bytes = 0
    code, said = job.run()
    assert (code, holds_everything(job)) == (0, True), said
    assert not any(first.name in path for path in hub.asked[before:])
    assert hub.sent_bytes <= len(WEIGHTS)


def test_a_file_that_was_cut_short_or_changed_in_the_bucket_is_fetched_again(job: Job) -> None:
    job.run()
    (job.kept / RECORD).unlink()
    first, second = (job.kept / name for name in sorted(KEPT) if name.endswith("safetensors"))
    first.write_bytes(first.read_bytes()[:-1])
    second.write_bytes(b"x" + second.read_bytes()[1:])
    code, said = job.run()
    assert (code, holds_everything(job)) == (0, True), said


def test_a_record_does_not_count_if_a_file_of_it_is_gone(job: Job) -> None:
    job.run()
    (job.kept / "config.json").unlink()
    code, said = job.run()
    assert (code, holds_everything(job)) == (0, True), said


def test_a_file_that_comes_with_another_checksum_is_fetched_again(job: Job, hub: Hub) -> None:
    hub.spoilt = 1
    code, said = job.run()
    assert "came with another checksum than the hub names; again" in said
    assert (code, holds_everything(job)) == (0, True), said


def test_a_download_that_breaks_off_is_taken_up_where_it_was(job: Job, hub: Hub) -> None:
    # The client writes pieces of 10 MB: what came of a piece is lost, and the pieces before stay.
    piece = 10 * 1024**2
    large = bytes(3 * piece)
    hub.repositories[SOURCE] = {"model.safetensors": large}
    hub.cut_at = [2 * piece + 1]
    code, said = job.run()
    assert code == 0, said
    assert (job.kept / "model.safetensors").read_bytes() == large
    assert hub.ranges == [f"bytes={2 * piece}-"]


def test_a_hub_that_does_not_answer_for_a_while_is_asked_again(job: Job, hub: Hub) -> None:
    hub.down = 3
    code, said = job.run()
    assert hub.down == 0
    assert (code, holds_everything(job)) == (0, True), said


def test_a_hub_that_never_sends_a_whole_file_fails_the_pod_and_keeps_no_record(
    job: Job, hub: Hub
) -> None:
    hub.spoilt = 1000
    code, said = job.run()
    assert code == 1, said
    assert not (job.kept / RECORD).exists()


def test_a_gated_repository_is_read_with_the_token_and_else_refused_for_good(
    job: Job, hub: Hub
) -> None:
    hub.gated[SOURCE] = "hf_of_a_test"
    code, said = job.run()
    assert code == HOPELESS
    assert "is gated, and the stack's Hugging Face token may not read it" in said
    job.token.write_text("hf_of_a_test\n", "utf-8")
    code, said = job.run()
    assert (code, holds_everything(job)) == (0, True), said
    assert "hf_of_a_test" not in said


@pytest.mark.parametrize(
    ("source", "revision", "reason"),
    [("acme/none", "main", "no such repository"), (SOURCE, "v9", "has no revision v9")],
)
def test_what_does_not_exist_is_not_tried_again(
    job: Job, source: str, revision: str, reason: str
) -> None:
    code, said = job.run(source, revision=revision)
    assert code == HOPELESS
    assert reason in said


@pytest.mark.parametrize(
    ("paths", "left_out"),
    [
        (["model.safetensors", "pytorch_model.bin", "tokenizer.json"], {"pytorch_model.bin"}),
        (["pytorch_model.bin", "config.json"], set()),
        (
            ["model-1.safetensors", "consolidated.safetensors", "original/a.pth", "a/model.onnx"],
            {"consolidated.safetensors", "original/a.pth", "a/model.onnx"},
        ),
        (["consolidated.safetensors", "params.json"], set()),
        (["a/model.safetensors", "pytorch_model.bin"], set()),
    ],
)
def test_weights_that_vllm_passes_over_are_left_out(paths: list[str], left_out: set[str]) -> None:
    assert set(paths) - set(kept_paths(paths)) == left_out


def test_the_pod_needs_nothing_but_python_and_huggingface_hub() -> None:
    imported: Any = set()
    for text in script_files().values():
        for line in text.splitlines():
            if line.startswith(("import ", "from ")):
                imported.add(line.split()[1].partition(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"huggingface_hub", "manifests"}
