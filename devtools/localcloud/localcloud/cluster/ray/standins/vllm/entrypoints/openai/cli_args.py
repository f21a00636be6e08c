"""FrontendArgs of the pinned vLLM: the arguments of its own HTTP server."""

from vllm.engine.arg_utils import CATALOGUE, dataclass_of

_ANYTHING = "bool|int|float|str|dict|list|none"

FrontendArgs = dataclass_of(
    "FrontendArgs",
    __name__,
    {
        **CATALOGUE["serving_arguments"],
        # Ray Serve accepts these and does not use them, so their types do not matter.
        **dict.fromkeys(CATALOGUE["front_end_arguments"], _ANYTHING),
    },
)
