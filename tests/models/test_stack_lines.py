"""The line of a stack file to which a message points."""

import pytest

from models.stack_lines import line_of

TEXT = """\
# A comment.
config:
  gcp:project: acme
  ray-llm:gpuPools:
    - t4
    - {tier: l4, maxNodes: 20}
  ray-llm:models:
    - qwen2.5-0.5b-instruct
    - model: llama-3.1-8b-instruct
      contextLength: 4096
      engine:
        max_num_seqs: 8
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("ray-llm:models[1].contextLength", 10),
        ("ray-llm:models[1].engine.max_num_seqs", 12),
        ("ray-llm:gpuPools[1].maxNodes", 6),
        ("gcp:project", 3),
    ],
)
def test_a_setting_is_found(path: str, line: int) -> None:
    assert line_of(TEXT, path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("ray-llm:models[0].contextLength", 8),
        ("ray-llm:models[1].gpu", 9),
        ("ray-llm:models[7]", 7),
        ("ray-llm:models[1].contextLength.deeper", 10),
    ],
)
def test_of_a_setting_that_is_not_there_its_place_is_found(path: str, line: int) -> None:
    assert line_of(TEXT, path) == line


@pytest.mark.parametrize("text", ["", "a: [", "7", "config: 7", "config:\n", "- a\n"])
def test_without_such_a_section_there_is_no_line(text: str) -> None:
    assert line_of(text, "ray-llm:models[1]") is None
