"""How many sequences and tokens an engine takes at once, and what each profile means.

| profile    | sequences | tokens a step | memory | meaning |
|------------|-----------|---------------|--------|---------|
| (none)     | 128       | 8192          | 0.90   | a balance for chat |
| throughput | 256       | 16384         | 0.90   | most tokens a GPU; slower answers under load |
| latency    | 32        | 2048          | 0.90   | short steps: long prompts delay others little |
| memory     | 16        | 2048          | 0.95   | eager, no CUDA graphs: longest context a GPU |

The guide's `max_num_seqs: 1` for latency serialises requests, and its low utilization leaves
reserved memory unused; neither is done here. Numbers that the stack
file does not state are lowered step by step until the context fits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from models.problems import Problem, Severity
from models.stack import Profile
from models.ways_out import leave_out, use
from planning.sizing.stated_arguments import StatedArguments

# Up to this length V0 does not chunk prompts (vLLM 0.10, EngineArgs._set_default_args_v0).
V0_WHOLE_PROMPT_TOKENS: Final = 32768
# The smallest batch that is tried: below it a GPU is wasted on a few requests.
FEWEST_SEQUENCES: Final = 16
FEWEST_TOKENS: Final = 2048


@dataclass(frozen=True, kw_only=True)
class Batching:
    """Limits of one engine step, and the share of GPU memory the engine may use."""

    max_num_seqs: int
    max_num_batched_tokens: int
    gpu_memory_utilization: float
    enforce_eager: bool


_PROFILES: Final = {
    None: Batching(
        max_num_seqs=128,
        max_num_batched_tokens=8192,
        gpu_memory_utilization=0.9,
        enforce_eager=False,
    ),
    Profile.THROUGHPUT: Batching(
        max_num_seqs=256,
        max_num_batched_tokens=16384,
        gpu_memory_utilization=0.9,
        enforce_eager=False,
    ),
    Profile.LATENCY: Batching(
        max_num_seqs=32,
        max_num_batched_tokens=2048,
        gpu_memory_utilization=0.9,
        enforce_eager=False,
    ),
    Profile.MEMORY: Batching(
        max_num_seqs=16,
        max_num_batched_tokens=2048,
        gpu_memory_utilization=0.95,
        enforce_eager=True,
    ),
}


def takes_prompts_whole(
    arguments: StatedArguments,
    max_model_len: int,
    *,
    v0_engine: bool,
    obeyed: bool,
    splits_long: bool,
) -> bool:
    """Whether a step has to hold a whole prompt, because the engine does not split it.

    obeyed: whether the V1 engine of the release obeys enable_chunked_prefill: false.
    splits_long: whether V0 splits prompts of long contexts by itself.
    """
    chunked = arguments.engine.get("enable_chunked_prefill")
    if not v0_engine:
        return chunked is False and obeyed
    if chunked is None:
        return max_model_len <= V0_WHOLE_PROMPT_TOKENS or not splits_long
    return chunked is False


def batchings(
    profile: Profile | None, arguments: StatedArguments, max_model_len: int, whole_prompts: bool
) -> tuple[Batching, ...]:
    """The batchings to try, the wanted one first; stated numbers never change.

    whole_prompts: whether a step has to hold a whole prompt.
    """
    tokens = arguments.get("max_num_batched_tokens")
    whole_prompt = max_model_len if whole_prompts else 0
    return _steps(
        profile,
        tokens,
        arguments.get("max_num_seqs"),
        arguments.get("gpu_memory_utilization"),
        arguments.get("enforce_eager"),
        0 if tokens is not None else whole_prompt,
    )


@lru_cache(maxsize=1024)
def _steps(
    profile: Profile | None,
    stated_tokens: int | None,
    stated_sequences: int | None,
    utilization: float | None,
    eager: bool | None,
    whole_prompt: int,
) -> tuple[Batching, ...]:
    wanted = _PROFILES[profile]
    tokens = stated_tokens or wanted.max_num_batched_tokens
    sequences = stated_sequences or min(wanted.max_num_seqs, tokens)
    steps: dict[Batching, None] = {}
    while True:
        # V1 refuses fewer tokens than sequences.
        least = max(sequences, whole_prompt) if stated_tokens is None else 0
        step = Batching(
            max_num_seqs=sequences,
            max_num_batched_tokens=max(tokens, least),
            gpu_memory_utilization=utilization or wanted.gpu_memory_utilization,
            enforce_eager=wanted.enforce_eager if eager is None else eager,
        )
        steps[step] = None
        if stated_tokens is None and tokens > FEWEST_TOKENS:
            tokens //= 2
        elif stated_sequences is None and sequences > FEWEST_SEQUENCES:
            sequences //= 2
        else:
            return tuple(steps)


def batching_problems(
    arguments: StatedArguments,
    max_model_len: int,
    v0_engine: bool,
    whole_prompts: bool,
    chosen: Batching,
) -> Iterable[Problem]:
    """What vLLM would refuse in the stated limits."""
    tokens, sequences = chosen.max_num_batched_tokens, chosen.max_num_seqs
    utilization = chosen.gpu_memory_utilization
    tokens_path = arguments.path_of("max_num_batched_tokens")
    if arguments.get("max_num_batched_tokens") is not None:
        if tokens < sequences:
            yield Problem(
                path=arguments.path_of("max_num_batched_tokens"),
                value=tokens,
                reason=f"is below max_num_seqs {sequences}, so a step could not hold one token "
                "of every sequence",
                remedy="Use more tokens or fewer sequences",
                rule="batched-tokens-sequences",
                candidates=(
                    leave_out(tokens_path, "leave it out"),
                    use(tokens_path, sequences, f"use at least {sequences}"),
                    use(arguments.path_to_set("max_num_seqs"), tokens),
                ),
            )
        if whole_prompts and tokens < max_model_len:
            cause = "the V0 engine does not split prompts"
            if not v0_engine:
                cause = "with enable_chunked_prefill: false vLLM does not split prompts"
            yield Problem(
                path=arguments.path_of("max_num_batched_tokens"),
                value=tokens,
                reason=f"is below the context length {max_model_len}, and {cause}",
                remedy="Use more tokens or a shorter context",
                rule="batched-tokens-context",
                candidates=(
                    use(tokens_path, max_model_len, f"use at least {max_model_len}"),
                    leave_out(tokens_path, "leave it out"),
                    use(arguments.path_to_set("max_model_len"), tokens),
                ),
            )
    if utilization < 0.5:
        yield Problem(
            path=arguments.path_of("gpu_memory_utilization"),
            value=utilization,
            reason="leaves most of the GPU unused, and no other replica can use it",
            remedy="Use a larger share",
            rule="utilization-low",
            candidates=(
                leave_out(arguments.path_of("gpu_memory_utilization"), "leave it out (0.9)"),
            ),
            severity=Severity.WARN,
        )
