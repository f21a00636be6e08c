"""The LLMs that a stack may name with one word, with what decides whether they fit.

Rows are in llms.yaml. `weight_bytes` is what vLLM allocates for the weights without
tensor parallelism: a tied embedding counts once even if the checkpoint stores it
twice, and MXFP4 experts count with the padding of the Marlin kernels.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from annotated_types import Gt

from models.architecture import LlmArchitecture, Quantization
from models.catalog import data_file
from models.facts import Facts
from models.tasks import Task


class LlmRow(Facts):
    """One LLM of the catalogue.

    `family` groups the LLMs of one ConfigMap. `provenance` says where the numbers come
    from; `remembered` rows have dimensions copied from a sibling, not read for the model.
    `task` is what it is served for, `engine` the arguments that vLLM needs for it besides, and
    `prompts_whole` whether its pooling needs all of a prompt in one step.
    `parameters_note` says why the published count differs from the dimensions, if it does.
    """

    id: str
    source: str
    family: str
    parameters: Annotated[int, Gt(0)]
    weight_bytes: Annotated[int, Gt(0)]
    checkpoint_bytes: Annotated[int, Gt(0)]
    architecture: LlmArchitecture
    quantization: Quantization | None = None
    vision_parameters: int = 0
    task: Task = Task.GENERATE
    engine: Mapping[str, Any] = {}
    prompts_whole: bool = False
    gated: bool
    license: str
    provenance: str
    parameters_note: str | None = None
    confidence: Literal["verified", "remembered"]

    @property
    def multimodal(self) -> bool:
        """Whether the model also reads images."""
        return self.architecture.multimodal


@cache
def llms() -> Mapping[str, LlmRow]:
    """Return the catalogue's LLMs by id."""
    rows = [LlmRow.model_validate(row) for row in data_file.read("llms.yaml")["llms"]]
    return MappingProxyType({row.id: row for row in rows})
