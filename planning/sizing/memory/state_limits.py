"""What keeps vLLM from starting a model whose layers keep a state.

A sequence of any length takes a block of each group of such layers, and newer releases refuse a
`max_num_seqs` beyond the blocks (https://github.com/vllm-project/vllm/issues/34094). Only the
hybrid KV cache manager can hold states beside a cache.
"""

from collections.abc import Iterable
from typing import Final

from models.architecture import LlmArchitecture
from models.catalog import GpuTier
from models.problems import Problem, Severity
from models.ways_out import leave_out, use
from planning.plan import MemoryFit
from planning.sizing.batching import Batching
from planning.sizing.memory.headroom import gib
from planning.sizing.stated_arguments import StatedArguments

_RULE: Final = "state-blocks"
_RULE_MANAGER: Final = "state-cache-manager"
_MANAGER: Final = "disable_hybrid_kv_cache_manager"
_STEP: Final = 8  # sequences; graphs are captured for multiples of it


def state_problems(
    arguments: StatedArguments, tier: GpuTier, batching: Batching, fit: MemoryFit
) -> Iterable[Problem]:
    """A number of sequences that vLLM does not start with, or may not."""
    sequences = batching.max_num_seqs
    if not fit.state_block_bytes or fit.runs(sequences, fit.margin_bytes):
        return
    certain = not fit.runs(sequences, -fit.margin_bytes)
    spare = max(0, fit.kv_available_bytes - fit.margin_bytes)
    sure = spare // fit.state_block_bytes // _STEP * _STEP
    blocks = max(0, fit.kv_available_bytes) // fit.state_block_bytes
    path = arguments.path_to_set("max_num_seqs")
    stated = arguments.get("max_num_seqs") is not None
    yield Problem(
        path=arguments.path_of("max_num_seqs"),
        value=sequences if stated else f"a batch of {sequences} sequences",
        reason=f"{'exceeds' if certain else 'may exceed'} the "
        f"{'one block' if blocks == 1 else f'{blocks} blocks'} of KV cache that {tier.id} leaves, "
        "of which each running sequence takes one for its states, and vLLM then does not start: "
        f"{gib(fit.kv_available_bytes)} GiB are left",
        remedy="Use fewer sequences or a larger GPU",
        rule=_RULE,
        severity=Severity.STOP if certain else Severity.WARN,
        candidates=(
            *((use(path, sure, f"use at most {sure}" if stated else ""),) if sure else ()),
            use(arguments.path_to_set("enforce_eager"), True),
        ),
    )


def manager_problems(
    arguments: StatedArguments, architecture: LlmArchitecture, v0_engine: bool
) -> Iterable[Problem]:
    """The manager of the KV cache is turned off, which vLLM's V1 engine needs for states."""
    if v0_engine or architecture.state_layers is None or not arguments.engine.get(_MANAGER):
        return
    path = f"{arguments.path}.engine.{_MANAGER}"
    yield Problem(
        path=path,
        value=arguments.engine[_MANAGER],
        reason="does not go with a model whose layers keep a state instead of a cache: vLLM cannot "
        "turn both into one kind and does not start",
        remedy="Leave it out",
        rule=_RULE_MANAGER,
        candidates=(leave_out(path, "leave it out"),),
    )
