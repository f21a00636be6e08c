"""What an engine is asked to hold in GPU memory, and how its vLLM release accounts for it.

Inputs of estimate.py and its parts. What changed between releases of vLLM is here alone, as an
`Accounting`; the sums themselves know no version.
"""

import re
from dataclasses import dataclass
from typing import Final

from models.architecture import LlmArchitecture
from planning.plan import GIB

# Bytes of one logit at the peak of sampling. PyTorch's own top-k and top-p sort every logit
# (16- and 32-bit logits, sorted values, 64-bit indices and the sort's buffers); the Triton
# kernels of vLLM 0.18 do not sort. Fitted to the points in tests/planning/memory_points.yaml.
SORTED_LOGIT_BYTES: Final = 38.4
UNSORTED_LOGIT_BYTES: Final = 14.2
_TRITON_SAMPLER: Final = (0, 18)
# Releases from which: full CUDA graphs of decode steps are captured beside piecewise ones; sizes
# follow max_num_seqs and are 16 apart above 256; MoE workspaces stay allocated; all-reduce is
# fused with RMSNorm on Hopper and newer; graphs are part of the budget (vLLM's start-up log).
_FULL_GRAPHS: Final = (0, 11)
_SPARSE_GRAPH_SIZES: Final = (0, 12)
_KEPT_WORKSPACE: Final = (0, 12)
_FUSED_ALL_REDUCE: Final = (0, 18)
_GRAPHS_IN_BUDGET: Final = (0, 21)
_LARGEST_GRAPH: Final = 512
# Held outside PyTorch by the one GPU of a replica; 0.13 GiB from vLLM 0.10 to 0.15, 0.25 in 0.19,
# 0.01 to 0.35 in V0; fitted.
_RUNTIME_BYTES: Final = int(0.15 * GIB)
_LARGER_RUNTIME_BYTES: Final = int(0.25 * GIB)
_LARGER_RUNTIME: Final = (0, 18)


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """How one vLLM release, with one of its engines, counts and spends GPU memory.

    logit_bytes: peak bytes of sampling for each sequence and token of the vocabulary.
    windows_free_blocks: sliding layers keep their window only (V1's hybrid KV cache manager);
        else every layer is counted in full.
    moe_workspace_kept: the workspace of fused experts adds to the peak of sampling.
    runtime_bytes: what one GPU holds outside PyTorch.
    graphs_in_budget: CUDA graphs are taken from utilization x memory, not from the rest.
    """

    v0_engine: bool
    logit_bytes: float
    runtime_bytes: int
    windows_free_blocks: bool
    moe_workspace_kept: bool
    fused_all_reduce: bool
    graphs_in_budget: bool
    full_graphs: bool
    graph_sizes_follow_sequences: bool
    sparse_graph_sizes: bool

    def graph_sizes(self, max_num_seqs: int, max_num_batched_tokens: int) -> int:
        """How many batch sizes are captured as piecewise CUDA graphs (as all graphs, in V0).

        vLLM 0.10 VllmConfig._set_cudagraph_sizes: 1, 2, 4 and multiples of 8; V0 up to
        max_num_seqs, V1 up to 512, later up to twice max_num_seqs.
        """
        largest = _LARGEST_GRAPH
        if self.v0_engine:
            largest = -(-max_num_seqs // 8) * 8
        elif self.graph_sizes_follow_sequences:
            largest = min(largest, 2 * max_num_seqs)
        if not self.v0_engine:
            largest = min(largest, max_num_batched_tokens)
        return self._sizes_up_to(largest)

    def full_graph_sizes(self, max_num_seqs: int, max_num_batched_tokens: int) -> int:
        """How many of them are captured once more, whole, for steps that only decode."""
        if not self.full_graphs or self.v0_engine:
            return 0
        return self._sizes_up_to(min(_LARGEST_GRAPH, max_num_seqs, max_num_batched_tokens))

    def _sizes_up_to(self, largest: int) -> int:
        if self.sparse_graph_sizes and largest > 256:
            return 3 + 256 // 8 + (largest - 256) // 16
        return 3 + largest // 8


def accounting(vllm: str, v0_engine: bool, hybrid_kv_cache: bool = True) -> Accounting:
    """The accounting of a vLLM version such as 0.10.0.

    hybrid_kv_cache: False where the stack turns V1's hybrid KV cache manager off.
    """
    release = tuple(int(part) for part in re.findall(r"\d+", vllm)[:2])
    return Accounting(
        v0_engine=v0_engine,
        logit_bytes=UNSORTED_LOGIT_BYTES if release >= _TRITON_SAMPLER else SORTED_LOGIT_BYTES,
        runtime_bytes=(
            _LARGER_RUNTIME_BYTES if v0_engine or release >= _LARGER_RUNTIME else _RUNTIME_BYTES
        ),
        windows_free_blocks=hybrid_kv_cache and not v0_engine,
        moe_workspace_kept=release >= _KEPT_WORKSPACE,
        fused_all_reduce=release >= _FUSED_ALL_REDUCE,
        graphs_in_budget=release >= _GRAPHS_IN_BUDGET,
        full_graphs=release >= _FULL_GRAPHS,
        graph_sizes_follow_sequences=release >= _FULL_GRAPHS,
        sparse_graph_sizes=release >= _SPARSE_GRAPH_SIZES,
    )


@dataclass(frozen=True, kw_only=True)
class MemoryInputs:
    """What an engine is asked to hold, as far as memory is concerned.

    weight_bytes: all the weights at tensor parallelism 1, as vLLM allocates them.
    packed_weights: whether they are 4-bit integers that Marlin repacks (AWQ, GPTQ).
    offloaded_bytes: weights of each GPU that stay in the host's memory (cpu_offload_gb).
    kv_value_bytes: bytes of one value in the KV cache, 2 for 16 bit, 1 for fp8.
    """

    architecture: LlmArchitecture
    weight_bytes: int
    packed_weights: bool = False
    offloaded_bytes: int = 0
    kv_value_bytes: int
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    tensor_parallel_size: int
    pipeline_parallel_size: int
    gpu_memory_utilization: float
    gpu_memory_gib: float
    compute_capability: tuple[int, int]
    enforce_eager: bool
    accounting: Accounting

    @property
    def gpu_bytes(self) -> float:
        """Memory of one GPU as the driver shows it."""
        return self.gpu_memory_gib * GIB

    @property
    def budget_bytes(self) -> float:
        """What vLLM may use of one GPU."""
        return self.gpu_memory_utilization * self.gpu_bytes

    @property
    def value_bytes(self) -> int:
        """Bytes of one activation: 4 where all is computed in float32."""
        return max(2, self.kv_value_bytes)

    @property
    def stage_layers(self) -> int:
        """Layers of the largest pipeline stage."""
        return -(-self.architecture.num_hidden_layers // self.pipeline_parallel_size)

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.tensor_parallel_size * self.pipeline_parallel_size
