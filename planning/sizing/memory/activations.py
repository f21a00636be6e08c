"""The peak of activations that vLLM measures in its profiling run, on one GPU.

The run fills a step with max_num_batched_tokens tokens and then samples for max_num_seqs
sequences. The two peaks do not meet: the larger counts. Checked against the "activation" columns
of public load logs in tests/planning/memory_points.yaml.
"""

from planning.plan import GIB
from planning.sizing.memory.vllm_accounting import Load

_BASE_BYTES = int(0.1 * GIB)  # inputs and small buffers; fitted to the points in the tests
# The vision tower's own profiling run; fitted. V1: 0.2 to 0.3 GiB (Gemma 3, Mistral 3); V0 runs
# the largest image that the model takes (vllm#16570).
_VISION_BYTES = int(0.4 * GIB)
_V0_VISION_BYTES = int(1.8 * GIB)
# A feed-forward layer holds its gate and up projections and their product, and the block around
# it hidden state, residual and the norm's output, all at once.
_WIDE_COPIES = 3
_HIDDEN_COPIES = 3


def activation_bytes(load: Load) -> int:
    """The most bytes of activations alive at once on one GPU during profiling."""
    architecture = load.architecture
    hidden = load.max_num_batched_tokens * architecture.hidden_size * load.value_bytes
    workspace = _moe_workspace(load)
    step = _step_peak(load) + workspace
    sampling = hidden + _sampling_peak(load)
    if load.accounting.moe_workspace_kept:
        sampling += workspace
    return _BASE_BYTES + max(step, sampling) + _vision(load)


def _step_peak(load: Load) -> int:
    architecture = load.architecture
    wide = architecture.intermediate_size // load.tensor_parallel_size
    values = _WIDE_COPIES * wide + _HIDDEN_COPIES * architecture.hidden_size
    return load.max_num_batched_tokens * values * load.value_bytes


def _sampling_peak(load: Load) -> int:
    """Logits are gathered on every GPU, so tensor parallelism does not divide them."""
    sequences = min(load.max_num_seqs, load.max_num_batched_tokens)
    return int(sequences * load.architecture.vocab_size * load.accounting.logit_bytes)


def _moe_workspace(load: Load) -> int:
    """The two buffers of fused experts, a row for each token and chosen expert.

    vLLM's fused_experts; none for gpt-oss, whose MXFP4 kernels have their own.
    """
    architecture = load.architecture
    chosen = architecture.num_experts_per_tok
    if not architecture.num_experts or not chosen or architecture.model_type == "gpt_oss":
        return 0
    wide = (architecture.moe_intermediate_size or architecture.intermediate_size) // (
        load.tensor_parallel_size
    )
    row = max(2 * wide, architecture.hidden_size) + max(wide, architecture.hidden_size)
    return load.max_num_batched_tokens * chosen * row * load.value_bytes


def _vision(load: Load) -> int:
    if not load.architecture.multimodal:
        return 0
    return _V0_VISION_BYTES if load.accounting.v0_engine else _VISION_BYTES
