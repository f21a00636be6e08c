"""The peak of activations that vLLM measures in its profiling run, on one GPU.

The run encodes images, fills a step with max_num_batched_tokens tokens and then samples for
max_num_seqs sequences, or pools them. The peaks do not meet: the largest counts. Checked against
the "activation" columns of public load logs in tests/planning/sizing/memory_points.yaml.
"""

from planning.plan import GIB
from planning.sizing.memory.images import encoder_peak_bytes, kept_image_bytes, takes_images
from planning.sizing.memory.vllm_accounting import MemoryInputs, step_bytes

# Inputs and small buffers beside a step, and beside sampling; fitted to the points in the tests.
_STEP_BASE_BYTES = int(0.1 * GIB)
_SAMPLING_BASE_BYTES = int(0.03 * GIB)
# V0 runs the encoder of images on the largest one that the model takes (vllm#16570).
_V0_VISION_BYTES = int(1.8 * GIB)
_USUAL_VALUE_BYTES = 2
_POOLED_COPIES = 2  # the sums, and the hidden states in 32 bit
_POOLED_VALUE_BYTES = 4


def activation_bytes(inputs: MemoryInputs) -> int:
    """The most bytes of activations alive at once on one GPU during profiling."""
    architecture = inputs.architecture
    hidden = inputs.max_num_batched_tokens * architecture.hidden_size * inputs.value_bytes
    workspace = _moe_workspace(inputs)
    step = _STEP_BASE_BYTES + step_bytes(inputs, inputs.max_num_batched_tokens) + workspace
    last = _pooling_peak(inputs) if inputs.pools else _sampling_peak(inputs)
    sampling = _SAMPLING_BASE_BYTES + hidden + last
    if inputs.accounting.moe_workspace_kept:
        sampling += workspace
    text = max(step, sampling)
    if not takes_images(inputs):
        return text
    if inputs.accounting.v0_engine:
        return text + _V0_VISION_BYTES
    encoding = _STEP_BASE_BYTES + encoder_peak_bytes(inputs)
    return max(text + kept_image_bytes(inputs), encoding)


def _sampling_peak(inputs: MemoryInputs) -> int:
    """Logits are gathered on every GPU, so tensor parallelism does not divide them.

    One copy is of the model's own dtype, wider than 16 bit in float32.
    """
    sequences = min(inputs.max_num_seqs, inputs.max_num_batched_tokens)
    logit_bytes = inputs.accounting.logit_bytes + inputs.value_bytes - _USUAL_VALUE_BYTES
    return int(sequences * inputs.architecture.vocab_size * logit_bytes)


def _pooling_peak(inputs: MemoryInputs) -> int:
    """Hidden states summed in 32 bit: MeanPool in vllm/model_executor/layers/pooler.py.

    Instead of logits: GPUModelRunner._dummy_pooler_run.
    """
    states = inputs.max_num_batched_tokens * inputs.architecture.hidden_size
    return _POOLED_COPIES * states * _POOLED_VALUE_BYTES


def _moe_workspace(inputs: MemoryInputs) -> int:
    """The two buffers of fused experts, a row for each token and chosen expert.

    vLLM's fused_experts; none for gpt-oss, whose MXFP4 kernels have their own.
    """
    architecture = inputs.architecture
    chosen = architecture.num_experts_per_tok
    if not architecture.num_experts or not chosen or architecture.model_type == "gpt_oss":
        return 0
    wide = (architecture.moe_intermediate_size or architecture.intermediate_size) // (
        inputs.tensor_parallel_size
    )
    row = max(2 * wide, architecture.hidden_size) + max(wide, architecture.hidden_size)
    return inputs.max_num_batched_tokens * chosen * row * inputs.value_bytes
