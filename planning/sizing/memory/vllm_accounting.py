"""What an engine is asked to hold in GPU memory, and how its vLLM release accounts for it.

These are the inputs of estimate.py and its parts. What differs between vLLM releases comes from
the catalogue (vllm_behaviour.yaml) as an `Accounting`; the sums themselves know no version.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from models.architecture import LlmArchitecture
from models.catalog import vllm_behaviour
from planning.plan import GIB

# Compute capabilities of generations that the sums tell apart.
TURING: Final = (7, 5)
A100: Final = (8, 0)
HOPPER: Final = (9, 0)
_LARGEST_GRAPH: Final = 512
_CHUNKED_ATTENTION: Final = "llama4"  # its attention backend supports no graph of whole steps
_LARGEST_GRAPH_OF_GPT_OSS: Final = 1024  # GptOssForCausalLMConfig in vLLM
# A feed-forward layer holds its gate and up projections and their product, and the block around
# it hidden state, residual and the norm's output, all at once.
_WIDE_COPIES: Final = 3
_HIDDEN_COPIES: Final = 3
BLOCK_TOKENS: Final = 16  # vLLM's default block_size on CUDA


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """How one vLLM release, with one of its engines, counts and spends GPU memory.

    logit_bytes: peak bytes of sampling for each sequence and token of the vocabulary.
    windows_free_blocks: sliding layers keep their window only (V1's hybrid KV cache manager);
        else every layer is counted in full.
    lora_of_experts: LoRA adapters may adapt experts, so that slots hold them too.
    moe_workspace_kept: the workspace of fused experts adds to the peak of sampling.
    runtime_bytes: what one GPU holds outside PyTorch.
    graphs_in_budget: CUDA graphs are taken from utilization x memory, not from the rest.
    group_slack: how many times the rarest kind of layer the commonest may have and still be padded
        to groups of its size.
    shares_indexers: layers that use the indexer of another keep no keys for one.
    states_bound_sequences: vLLM does not start with more sequences than blocks for states.
    mxfp4_tile: to what vLLM rounds a GPU's share of the width of MXFP4 experts on Hopper.
    """

    v0_engine: bool
    logit_bytes: float
    runtime_bytes: int
    windows_free_blocks: bool
    lora_of_experts: bool
    moe_workspace_kept: bool
    fused_all_reduce: bool
    graphs_in_budget: bool
    full_graphs: bool
    graph_sizes_follow_sequences: bool
    sparse_graph_sizes: bool
    mxfp4_tile: int
    group_slack: float = 1.0
    shares_indexers: bool = False
    states_bound_sequences: bool = False

    def largest_graph(self, inputs: "MemoryInputs") -> int:
        """The most tokens of a step that is captured as a CUDA graph.

        vLLM 0.10 VllmConfig._set_cudagraph_sizes: V0 up to max_num_seqs, V1 up to 512, later up to
        twice max_num_seqs.
        """
        sequences = inputs.max_num_seqs
        if self.v0_engine:
            return -(-sequences // 8) * 8
        largest = _LARGEST_GRAPH
        if self.full_graphs and inputs.architecture.model_type == "gpt_oss":
            largest = _LARGEST_GRAPH_OF_GPT_OSS
        elif self.graph_sizes_follow_sequences:
            largest = min(largest, 2 * sequences)
        return min(largest, inputs.max_num_batched_tokens)

    def largest_full_graph(self, inputs: "MemoryInputs") -> int:
        """The same of the graphs that are captured whole, for steps that only decode; 0 if none."""
        chunked = inputs.architecture.model_type.startswith(_CHUNKED_ATTENTION)
        if not self.full_graphs or self.v0_engine or chunked:
            return 0
        return min(self.largest_graph(inputs), inputs.max_num_seqs)

    def graph_sizes(self, largest: int) -> int:
        """How many batch sizes up to `largest` are captured: 1, 2, 4 and multiples of 8."""
        if not largest:
            return 0
        if self.sparse_graph_sizes and largest > 256:
            return 3 + 256 // 8 + (largest - 256) // 16
        return 3 + largest // 8


@cache
def accounting(vllm: str, v0_engine: bool, hybrid_kv_cache: bool = True) -> Accounting:
    """The accounting of a vLLM version such as 0.10.0.

    hybrid_kv_cache: False if the stack turns V1's hybrid KV cache manager off.
    """
    facts = vllm_behaviour(vllm)
    runtime_gib = facts.v0_runtime_gib if v0_engine else facts.runtime_gib
    return Accounting(
        v0_engine=v0_engine,
        logit_bytes=facts.sampling_bytes_per_logit,
        runtime_bytes=int(runtime_gib * GIB),
        windows_free_blocks=hybrid_kv_cache and not v0_engine,
        lora_of_experts=facts.lora_of_experts,
        moe_workspace_kept=facts.moe_workspace_kept,
        fused_all_reduce=facts.fused_all_reduce,
        graphs_in_budget=facts.graphs_in_budget,
        full_graphs=facts.full_cuda_graphs,
        graph_sizes_follow_sequences=facts.graph_sizes_follow_sequences,
        sparse_graph_sizes=facts.sparse_graph_sizes,
        group_slack=facts.cache_group_slack,
        shares_indexers=facts.shares_indexers,
        states_bound_sequences=facts.states_bound_sequences,
        mxfp4_tile=facts.mxfp4_tile_on_hopper,
    )


class StateMode(StrEnum):
    """Which states of a sequence a layer keeps: vLLM's `mamba_cache_mode`."""

    NONE = "none"
    ALIGN = "align"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class StateCache:
    """How the layers that keep a state do so.

    convolution_value_bytes, value_bytes: of one value of the convolution's and the recurrent state.
    speculative_tokens: tokens that a step may add and take back, each with a state of its own.
    """

    mode: StateMode = StateMode.NONE
    convolution_value_bytes: int = 2
    value_bytes: int = 2
    speculative_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The draft model of speculative decoding, which an engine holds beside its own.

    name: the draft as the stack file names it.
    architecture: the layers whose KV cache it keeps; None if nothing is known of them.
    weight_bytes: its weights at tensor parallelism 1.
    whole: every GPU holds all of it, whatever the degree of tensor parallelism.
    assumed: the sizes are those of a usual draft of this kind, not of this one.
    """

    name: str
    architecture: LlmArchitecture | None
    weight_bytes: int
    whole: bool
    assumed: bool


@dataclass(frozen=True, kw_only=True)
class LoraSlots:
    """The LoRA adapters that an engine holds on the GPU at once, and their largest rank."""

    count: int
    rank: int


@dataclass(frozen=True, kw_only=True)
class MemoryInputs:
    """What an engine is asked to hold, as far as memory is concerned.

    weight_bytes: all the weights at tensor parallelism 1, as vLLM allocates them.
    packed_weights: whether they are 4-bit integers that Marlin repacks (AWQ, GPTQ).
    offloaded_bytes: weights of each GPU that stay in the host's memory (cpu_offload_gb).
    value_bytes: bytes of one value that the model computes with: 4 in float32.
    kv_value_bytes: bytes of one value in the KV cache, 2 for 16 bit, 1 for fp8.
    block_tokens: tokens of one block of the KV cache.
    kv_cache_bytes: the KV cache of a GPU if it is stated (kv_cache_memory_bytes); it replaces the
        share of the GPU's memory.
    kv_cache_blocks: the blocks of the KV cache if they are stated (num_gpu_blocks_override).
    draft: the draft of speculative decoding.
    images_per_prompt: how many images a prompt may have; None if it is not stated.
    state_cache: how layers with a state keep it.
    batches_in_flight: steps that may run at the same time.
    lora: the slots for LoRA adapters; None without any.
    pools: whether the model embeds or scores, so that no token is sampled.
    """

    architecture: LlmArchitecture
    weight_bytes: int
    packed_weights: bool = False
    offloaded_bytes: int = 0
    value_bytes: int = 2
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
    block_tokens: int = BLOCK_TOKENS
    kv_cache_bytes: int | None = None
    kv_cache_blocks: int | None = None
    draft: Draft | None = None
    images_per_prompt: int | None = None
    state_cache: StateCache = StateCache()
    batches_in_flight: int = 1
    lora: LoraSlots | None = None
    pools: bool = False

    @property
    def gpu_bytes(self) -> float:
        """Memory of one GPU as the driver shows it."""
        return self.gpu_memory_gib * GIB

    @property
    def budget_bytes(self) -> float:
        """What vLLM may use of one GPU."""
        return self.gpu_memory_utilization * self.gpu_bytes

    @property
    def keeps_cache(self) -> bool:
        """Whether keys and values are kept: V1 keeps none of an encoder, V0 those of any model.

        GPUModelRunner.get_kv_cache_spec leaves out layers of AttentionType.ENCODER_ONLY.
        """
        return self.accounting.v0_engine or not self.architecture.encoder

    @property
    def stage_layers(self) -> int:
        """Layers of the largest pipeline stage."""
        return -(-self.architecture.num_hidden_layers // self.pipeline_parallel_size)

    @property
    def draft_tensor_parallel_size(self) -> int:
        """Over how many GPUs the draft is spread."""
        whole = self.draft is None or self.draft.whole
        return 1 if whole else self.tensor_parallel_size

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.tensor_parallel_size * self.pipeline_parallel_size


def step_bytes(inputs: MemoryInputs, tokens: int) -> int:
    """The peak of activations of a step of `tokens` tokens in a dense layer, on one GPU."""
    architecture = inputs.architecture
    wide = architecture.intermediate_size // inputs.tensor_parallel_size
    values = _WIDE_COPIES * wide + _HIDDEN_COPIES * architecture.hidden_size
    return tokens * values * inputs.value_bytes
