"""The draft model of speculative decoding: its weights and its layers, as far as they are known.

A draft of the catalogue is known. An EAGLE head is one decoder layer beside the model's own, and a
layer for multi-token prediction is one of the model's: both are assumed from the model. Of other
drafts nothing is known. N-grams and suffixes are looked up and take no GPU memory.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from models.architecture import LlmArchitecture
from models.catalog import llms
from planning.sizing.checkpoint import Checkpoint
from planning.sizing.memory.vllm_accounting import Draft

_WITHOUT_WEIGHTS: Final = frozenset({"ngram", "[ngram]", "ngram_gpu", "suffix"})
_VALUE_BYTES: Final = 2  # heads are published in 16 bit
# Entries of the vocabulary that EAGLE-3 heads keep for drafts: yuhuili/EAGLE3-LLaMA3.1-Instruct-8B
# and the heads for Qwen3 (draft_vocab_size in their config.json).
_DRAFT_VOCABULARY: Final = 32_000
# vllm/engine/arg_utils.py of 0.29: short forms of the fields of speculative_config.
_SHORT_FORMS: Final = {
    "spec_method": "method",
    "spec_model": "model",
    "spec_tokens": "num_speculative_tokens",
}


def speculative_config(engine: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the engine arguments say of speculative decoding; None if it is not asked for."""
    config = engine.get("speculative_config")
    short = {
        field: engine[argument]
        for argument, field in _SHORT_FORMS.items()
        if engine.get(argument) is not None
    }
    if not isinstance(config, Mapping):
        return short or None  # an empty mapping is asked for, and refused
    return {**config, **short}


def speculative_method(config: Mapping[str, Any]) -> str | None:
    """The method that vLLM takes: the stated one, or what the draft's name says.

    SpeculativeConfig.__post_init__; None if only the draft's own config.json says it.
    """
    method, draft = config.get("method"), config.get("model")
    if isinstance(method, str) and method:
        return method
    if not isinstance(draft, str):
        return None
    name = draft.lower()
    if name in _WITHOUT_WEIGHTS:
        return "ngram"
    if "eagle3-" in name:
        return "eagle3"
    if "eagle-" in name:
        return "eagle"
    return "draft_model" if name in _sources() else None


def draft_of(engine: Mapping[str, Any], target: Checkpoint) -> Draft | None:
    """The draft beside a model; None if there is none that takes GPU memory."""
    config = speculative_config(engine)
    architecture = target.architecture
    if not config or architecture is None:
        return None
    method = speculative_method(config)
    if method in _WITHOUT_WEIGHTS:
        return None
    model = config.get("model")
    name = model if isinstance(model, str) and model else str(method)
    whole = config.get("draft_tensor_parallel_size") == 1
    row = llms().get(_sources().get(name.lower(), ""))
    if row is not None:
        return Draft(
            name=name,
            architecture=row.architecture,
            weight_bytes=row.weight_bytes,
            whole=whole,
            assumed=False,
        )
    if method in ("eagle", "eagle3"):
        return Draft(
            name=name,
            architecture=_one_layer(architecture),
            weight_bytes=_head_bytes(architecture, method),
            whole=whole,
            assumed=True,
        )
    if method is not None and method.endswith("mtp"):
        return Draft(
            name=name,
            architecture=_one_layer(architecture),
            weight_bytes=(target.weight_bytes or 0) // architecture.num_hidden_layers,
            whole=whole,
            assumed=True,
        )
    return Draft(name=name, architecture=None, weight_bytes=0, whole=whole, assumed=True)


@cache
def _sources() -> Mapping[str, str]:
    return {row.source.lower(): row.id for row in llms().values()}


def _one_layer(architecture: LlmArchitecture) -> LlmArchitecture:
    """One layer of the model's shape that attends to everything."""
    return architecture.model_copy(
        update={"num_hidden_layers": 1, "sliding_window": None, "sliding_window_layers": None}
    )


def _head_bytes(architecture: LlmArchitecture, method: str) -> int:
    """Weights of an EAGLE head: a dense layer, the projection of hidden states, EAGLE-3's lm_head.

    vllm/model_executor/models/llama_eagle.py and llama_eagle3.py; embeddings are shared with the
    model. EAGLE3-LLaMA3.1-Instruct-8B has 0.85 GB by this sum and as published.
    """
    hidden, newer = architecture.hidden_size, method == "eagle3"
    query = architecture.num_attention_heads * architecture.head_dim
    key_value = 2 * architecture.num_key_value_heads * architecture.head_dim
    attention = (2 if newer else 1) * hidden * (query + key_value) + query * hidden
    feed_forward = 3 * hidden * architecture.intermediate_size
    projection = (3 if newer else 2) * hidden * hidden
    vocabulary = min(_DRAFT_VOCABULARY, architecture.vocab_size) * hidden if newer else 0
    return (attention + feed_forward + projection + vocabulary) * _VALUE_BYTES
