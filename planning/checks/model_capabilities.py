"""Engine arguments that only some models can take, and those that open the node to the model."""

from collections.abc import Iterable, Mapping
from typing import Any

from models.architecture import LlmArchitecture
from models.catalog import vllm_behaviour
from models.problems import Problem
from models.ways_out import instead, leave_out, outside
from planning.checks.contexts import EntryContext


def model_capability_problems(context: EntryContext) -> Iterable[Problem]:
    """Arguments for something that the model cannot do, or should not be allowed to do."""
    engine, path, architecture = context.engine, context.path, context.architecture
    if context.vllm is not None and architecture is not None:
        yield from _multimodal(engine, architecture, path, context.vllm)
        yield from _experts(engine, architecture, path)
    if engine.get("trust_remote_code") is True:
        yield Problem(
            path=f"{path}.engine.trust_remote_code",
            value=True,
            reason="runs Python from the model's repository on the node, which also has the token, "
            "and models in vLLM's own registry do not need it",
            remedy="Leave it out, or pin the code with revision and code_revision",
            rule="trust-remote-code",
            candidates=(
                leave_out(f"{path}.engine.trust_remote_code", "leave it out"),
                outside("pin the code with revision and code_revision"),
            ),
        )


def _multimodal(
    engine: Mapping[str, Any], architecture: LlmArchitecture, path: str, vllm: str
) -> Iterable[Problem]:
    """https://github.com/vllm-project/vllm/issues/17634 and /17801: refused at start-up."""
    if architecture.multimodal:
        return
    for name in vllm_behaviour(vllm).multimodal_arguments:
        if engine.get(name):
            yield Problem(
                path=f"{path}.engine.{name}",
                reason=f"is for models that take images or sound, and {architecture.model_type} "
                "takes text only",
                remedy="Leave it out",
                rule="multimodal-argument",
                candidates=(leave_out(f"{path}.engine.{name}", "leave it out"),),
            )


def _experts(
    engine: Mapping[str, Any], architecture: LlmArchitecture, path: str
) -> Iterable[Problem]:
    """ModelConfig._verify_with_expert_parallelism of vLLM 0.10: a dense model has no experts."""
    if engine.get("enable_expert_parallel") is True and not architecture.num_experts:
        yield Problem(
            path=f"{path}.engine.enable_expert_parallel",
            value=True,
            reason=f"spreads experts over GPUs, and {architecture.model_type} is a dense model",
            remedy="Leave it out; tensorParallelSize spreads a dense model",
            rule="expert-parallel-dense",
            candidates=(
                instead(
                    f"{path}.engine.enable_expert_parallel",
                    "Leave it out; tensorParallelSize spreads a dense model",
                ),
            ),
        )
