"""What the benchmarks count, and how they compare."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.accounting import (
    Spread,
    descendants,
    parents,
    proportional_kib,
    ratios,
    spent_seconds,
)
from benchmarks.updates import (
    CLUSTER,
    EARLIER,
    PROCESSOR,
    SECOND_UP,
    TARGETS,
    resource_types,
    verdict,
    with_first_model_edited,
)

CHECKOUT = Path(__file__).parents[2]
# The child outlives its parent, which was started by the measured command, and then computes.
ORPHAN = """
import os, time
if os.fork() == 0:
    time.sleep(0.2)
    end = time.process_time() + 0.5
    while time.process_time() < end:
        pass
"""
MEASURE = """
import json, subprocess, sys
from benchmarks.accounting import measured
pipe = subprocess.PIPE
command = [sys.executable, "-c", sys.argv[1]]
cost, code, output = measured(
    lambda: subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True), *map(int, sys.argv[2:])
)
print(json.dumps([cost.processor, cost.peak_mib, code, output]))
"""


def measured(code: str, *fork_server: int) -> tuple[float, float, int, str]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, code, *map(str, fork_server)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    processor, peak, returncode, output = json.loads(done.stdout)
    return processor, peak, returncode, output


def test_ratios_are_taken_within_a_round() -> None:
    assert ratios([1.0, 4.0], [2.0, 2.0]) == [0.5, 2.0]
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_a_spread_is_the_median_with_both_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0]).text(1) == "2.0 (1.0 to 3.0)"
    assert Spread.of([2.0]).text(2) == "2.00"


def test_descendants_are_found_through_all_generations_and_not_beside() -> None:
    parent_of = {2: 1, 3: 2, 4: 3, 5: 1, 6: 5, 7: 6}
    assert descendants(parent_of, [2, 6]) == {3, 4, 7}
    assert descendants(parent_of, [9]) == set()
    assert descendants(parent_of, [2, 3]) == {4}


def test_a_process_is_read_whatever_its_name(tmp_path: Path) -> None:
    fields = "S 41 7 7 0 -1 0 1 2 3 4 100 20 3000 400 20 0"
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "stat").write_text(f"42 (a) b (c)) {fields}")
    (tmp_path / "42" / "smaps_rollup").write_text("0-1 ---p [rollup]\nRss: 90 kB\nPss:  70 kB\n")
    (tmp_path / "self").mkdir()
    (tmp_path / "43").mkdir()  # it has just ended
    assert parents(tmp_path) == {42: 41}
    assert spent_seconds(42, tmp_path) == 3520 / os.sysconf("SC_CLK_TCK")
    assert proportional_kib(42, tmp_path) == 70
    assert proportional_kib(43, tmp_path) == 0


def test_the_time_of_an_orphan_is_counted() -> None:
    processor, peak, returncode, _ = measured(ORPHAN)
    assert processor >= 0.5
    assert peak > 0
    assert returncode == 0


def test_the_time_of_a_fork_servers_children_is_counted() -> None:
    serve = (
        "import subprocess, sys\n"
        "for line in sys.stdin:\n"
        "    code = 'import time\\nwhile time.process_time() < 0.5: pass'\n"
        "    subprocess.run([sys.executable, '-c', code])\n"
        "    print('done', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", serve], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        pipes = [f"/proc/{server.pid}/fd/{number}" for number in (0, 1)]
        ask = f"open({pipes[0]!r}, 'w').write('go\\n'); open({pipes[1]!r}).readline()"
        with_server, *_ = measured(ask, server.pid)
        without, *_ = measured(ask)
        assert server.stdin
        server.stdin.close()
    assert with_server >= 0.45  # in steps of 10 ms
    assert without < with_server - 0.3


def test_a_failed_command_says_so() -> None:
    _, _, returncode, output = measured("import sys; sys.exit('it broke')")
    assert (returncode, output.strip()) == (1, "it broke")


def test_a_verdict_needs_a_target_and_its_program() -> None:
    target = TARGETS[CLUSTER, "dev", SECOND_UP, PROCESSOR]
    assert verdict(target, {EARLIER: 0.19}) == "0.20 of revision, reached"
    assert verdict(target, {EARLIER: 0.21}) == "0.20 of revision, missed"
    assert verdict(target, {}) == verdict(None, {EARLIER: 0.1}) == ""


def test_the_first_model_is_edited_in_both_of_its_forms() -> None:
    named = with_first_model_edited({"ray-llm:models": ["a", "b"]})
    assert named["ray-llm:models"] == [{"model": "a", "contextLength": 4096}, "b"]
    mapped = {"ray-llm:models": [{"model": "a", "contextLength": 8192}]}
    edited = with_first_model_edited(mapped)
    assert edited["ray-llm:models"] == [{"model": "a", "contextLength": 4096}]
    assert mapped["ray-llm:models"][0]["contextLength"] == 8192


def test_components_are_not_counted_as_resources() -> None:
    urn = "urn:pulumi:s::p::{}::name"
    types = ("pulumi:pulumi:Stack", "ray-llm:index:A", "ray-llm:index:A$b:c:D", "b:c:D")
    preview = json.dumps({"steps": [{"urn": urn.format(type_)} for type_ in types]})
    assert resource_types(f"a warning\n{preview}\n") == {"b:c:D": 2}
