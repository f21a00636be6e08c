"""How an engine takes the prompts of a model that embeds or scores.

Its sequences have no steps after the prompt, so nothing grows. vLLM still makes the KV cache of a
decoder as large as the rest of its budget and needs one prompt of full length in it.
"""

from collections.abc import Mapping
from typing import Final

from planning.sizing.checkpoint import Checkpoint
from planning.sizing.stated_arguments import StatedArguments

# The arguments that say how hidden states become one vector, and their fields that name the way.
_POOLER_ARGUMENTS: Final = ("pooler_config", "override_pooler_config")
_POOLING_FIELDS: Final = ("seq_pooling_type", "pooling_type")
_LAST: Final = "LAST"


def pools_prompts_whole(
    checkpoint: Checkpoint, arguments: StatedArguments, *, v0_engine: bool
) -> bool:
    """Whether a model that pools needs a whole prompt in one step.

    V0 never splits prompts for one (EngineArgs._set_default_args_v0). V1 does so only if each token
    sees those before it alone and the last one is taken, vLLM's default for a decoder: VllmConfig
    in vLLM 0.10, ModelConfig.is_chunked_prefill_supported in 0.29.
    """
    if not checkpoint.task.pools:
        return False
    encoder = checkpoint.architecture is not None and checkpoint.architecture.encoder
    stated = _stated_pooling(arguments)
    by_pooling = checkpoint.prompts_whole if stated is None else stated != _LAST
    return v0_engine or encoder or by_pooling


def _stated_pooling(arguments: StatedArguments) -> str | None:
    for argument in _POOLER_ARGUMENTS:
        config = arguments.engine.get(argument)
        if isinstance(config, Mapping):
            values = [config.get(name) for name in _POOLING_FIELDS]
            stated = next((value for value in values if isinstance(value, str)), None)
            if stated is not None:
                return stated.upper()
    return None
