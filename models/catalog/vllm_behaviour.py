"""How vLLM releases behave, as far as a plan depends on it, by the name of the fact.

Rows are in vllm_behaviour.yaml, each with the release that changed it and its source. Code
asks for a fact by its name and compares no versions.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from models.catalog import data_file
from models.catalog.release_number import release_number
from models.facts import Facts


class VllmBehaviour(Facts):
    """What planning has to know of one vLLM release; capabilities are 80 for 8.0.

    - `draft_models`: an ordinary model may be the draft of speculative decoding
    - `draft_vocabulary`: a draft must have the vocabulary of the model
    - `eagle3_targets`: parts of the model types that take an EAGLE-3 head; None if any does
    - `async_scheduling_on_ray`: `async_scheduling: true` starts on Ray's executor
    - `async_scheduling_of_pipelines`: it starts with several pipeline stages
    - `async_speculation`: methods of speculative decoding that go with it
    - `strict_arguments`: arguments that refuse fields which they lack; None for all
    - `compilation_config_readable`: `compilation_config` may be a mapping
    - `lora_ranks`: the accepted ranks; None if they are the choices of `max_lora_rank`
    - `multimodal_arguments`: engine arguments that only multimodal models take
    - `transformers`: a release of transformers that goes with it
    - `rope_parameters`: what is read of the key: nothing, the `scaling` alone, or `all` of it with
      the base, as transformers 5 does, which takes no base from elsewhere
    - `v1_engine_capability`: below it, the V0 engine runs if the release still has one
    - `flashinfer_capability`: below it, the V1 engine has no attention kernels but Triton's
    - `v1_argument_values`, `v0_argument_values`: values of engine arguments that stay on the V1
      engine, and that leave it, if the release still has both
    - `v0_architectures`: models that run on V0 if the release still has it
    - `v0_interleaved_windows`: model types whose window V0 sets aside
    - `stated_windows`: model types that may state a window which no layer reaches
    - `disabled_windows_of_scaled_rope`: `disable_sliding_window` goes with any RoPE scaling
    - `chunked_prefill_obeyed`: V1 obeys `enable_chunked_prefill: false`
    - `fp8_kv_cache_capability`: the least for an fp8 KV cache on the V1 engine
    - `flashinfer_fp8_heads`: sizes of heads whose fp8 KV cache FlashInfer reads below it
    - `triton_attention_models`: model types that FlashInfer does not serve
    - `preferred_fp8_kv_cache_capability`: below it, an fp8 KV cache runs on the V0 engine if the
      release still has one
    - `swap_space_gib`: host memory for each GPU if `swap_space` is left out; 0 without the argument
    - `sampling_bytes_per_logit`: peak bytes for each sequence and token of the vocabulary
    - `runtime_gib`, `v0_runtime_gib`: held outside PyTorch by the one GPU of a replica
    - `lora_of_experts`: slots for LoRA adapters hold those of experts too
    - `moe_workspace_kept`: the workspace of fused experts adds to the peak of sampling
    - `fused_all_reduce`: all-reduce is fused with RMSNorm on Hopper and newer
    - `mxfp4_tile_on_hopper`: a GPU's share of the width of MXFP4 experts is a multiple of it there
    - `full_cuda_graphs`: decode steps are captured whole as well as piecewise
    - `graph_sizes_follow_sequences`: the largest captured batch follows max_num_seqs
    - `sparse_graph_sizes`: captured batch sizes above 256 are 16 apart, not 8
    - `graphs_in_budget`: CUDA graphs are taken from utilization x memory
    - `cache_group_slack`: how many times the rarest kind of layer the commonest may have and still
      share its groups of the KV cache
    - `windows_wait_for_batches`: layers that slide keep the tokens of all steps that run at once
    - `shares_indexers`: layers that use another's indexer keep no keys
    - `state_cache_modes`: what prefix caching keeps of states (`cached`), and whether it is on
      without being asked for (`default`)
    - `nemotron_h_experts`: the class of Nemotron-H has layers of experts
    - `state_dtype_of_config`: recurrent states have the dtype that config.json gives them
    - `states_bound_sequences`: vLLM does not start with more sequences than blocks for states
    - `v0_states`: models with states run on V0 if the release still has it
    """

    draft_models: bool
    draft_vocabulary: bool
    eagle3_targets: tuple[str, ...] | None
    async_scheduling_on_ray: bool
    async_scheduling_of_pipelines: bool
    strict_arguments: tuple[str, ...] | None
    compilation_config_readable: bool
    async_speculation: tuple[str, ...]
    lora_ranks: tuple[int, ...] | None
    multimodal_arguments: tuple[str, ...]
    transformers: str
    rope_parameters: Literal["nothing", "scaling", "all"]
    v1_engine_capability: int
    nested_overrides: bool
    flashinfer_capability: int
    v1_argument_values: Mapping[str, tuple[Any, ...]]
    v0_argument_values: Mapping[str, tuple[Any, ...]]
    v0_architectures: tuple[str, ...]
    v0_interleaved_windows: tuple[str, ...]
    stated_windows: tuple[str, ...]
    disabled_windows_of_scaled_rope: bool
    chunked_prefill_obeyed: bool
    fp8_kv_cache_capability: int
    flashinfer_fp8_heads: tuple[int, ...]
    triton_attention_models: tuple[str, ...]
    preferred_fp8_kv_cache_capability: int
    swap_space_gib: float
    sampling_bytes_per_logit: float
    runtime_gib: float
    v0_runtime_gib: float
    lora_of_experts: bool
    moe_workspace_kept: bool
    fused_all_reduce: bool
    mxfp4_tile_on_hopper: int
    full_cuda_graphs: bool
    graph_sizes_follow_sequences: bool
    sparse_graph_sizes: bool
    graphs_in_budget: bool
    cache_group_slack: float
    windows_wait_for_batches: bool
    shares_indexers: bool
    state_cache_modes: Mapping[str, str | None]
    nemotron_h_experts: bool
    state_dtype_of_config: bool
    states_bound_sequences: bool
    v0_states: bool

    def refuses_fields_of(self, argument: str) -> bool:
        """Whether a field that the argument lacks is refused; else it is dropped."""
        return self.strict_arguments is None or argument in self.strict_arguments


class BehaviourRow(Facts):
    """One fact of the table: its value at first, its values since later releases, its source."""

    at_first: Any
    since: Mapping[str, Any] = {}
    source: str

    def value(self, version: str) -> Any:
        """The value in a vLLM version: that of the newest release in the row up to it."""
        number = release_number(version)
        value = self.at_first
        for release, changed in self.since.items():
            if release_number(release) <= number:
                value = changed
        return value


@cache
def vllm_behaviour(version: str) -> VllmBehaviour:
    """Return the behaviour of a vLLM version such as 0.10.0.

    A version outside the release table behaves as the newest change before it says.
    """
    return VllmBehaviour.model_validate(
        {name: row.value(version) for name, row in behaviour_rows().items()}
    )


@cache
def behaviour_rows() -> Mapping[str, BehaviourRow]:
    """Return the rows of the table by the name of the fact."""
    rows = data_file.read("vllm_behaviour.yaml")
    return {name: BehaviourRow.model_validate(row) for name, row in rows.items()}
