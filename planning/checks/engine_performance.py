"""Engine settings that work but cost speed: advice of guides that vLLM has outgrown."""

from collections.abc import Iterable

from models.catalog import vllm_behaviour
from models.problems import Problem
from models.ways_out import WayOut, leave_out, together, use
from planning.checks.contexts import PlacedContext
from planning.sizing.stated_arguments import StatedArguments


def performance_problems(context: PlacedContext) -> Iterable[Problem]:
    """Warnings about engine arguments that a model does better without."""
    yield from _batch(context.spec.arguments)
    yield from _redundant(context)
    yield from _chunked_prefill(context)


def _batch(arguments: StatedArguments) -> Iterable[Problem]:
    """A batch of one serialises requests: latency grows with each request that waits.

    https://docs.vllm.ai/en/latest/configuration/optimization.html
    """
    sequences, eager = (arguments.path_to_set(name) for name in ("max_num_seqs", "enforce_eager"))
    if arguments.get("max_num_seqs") == 1:
        yield Problem(
            path=arguments.path_of("max_num_seqs"),
            value=1,
            reason="answers one request after the other: each request that waits adds its whole "
            "time, so under any load the latency is worse, not better",
            remedy="Let the engine batch requests",
            rule="batch-of-one",
            candidates=(
                leave_out(sequences, "leave it out"),
                together(
                    "use profile: latency, which keeps steps short",
                    leave_out(sequences),
                    use(f"{arguments.path}.profile", "latency"),
                ),
            ),
        )
    if arguments.get("enforce_eager") is True:
        yield Problem(
            path=arguments.path_of("enforce_eager"),
            value=True,
            reason="shortens the start and slows every token: without CUDA graphs small batches "
            "wait for the CPU",
            remedy="Leave it out, or use profile: memory if the graphs' memory is needed",
            rule="eager-mode",
            candidates=(
                leave_out(eager, "leave it out"),
                together(
                    "use profile: memory if the graphs' memory is needed",
                    leave_out(eager),
                    use(f"{arguments.path}.profile", "memory"),
                ),
            ),
        )


def _caches_prefixes(context: PlacedContext) -> bool:
    """Whether vLLM caches prefixes of this model by itself: of states not in every release."""
    spec = context.spec
    architecture = spec.checkpoint.architecture
    if architecture is None or architecture.state_layers is None:
        return True
    return vllm_behaviour(spec.release.vllm).state_cache_modes["default"] is not None


def _redundant(context: PlacedContext) -> Iterable[Problem]:
    """Arguments that change nothing here: EngineArgs._set_default_args_v1, vLLM 0.10."""
    idle: dict[str, str] = {}
    # Whether a model that pools has them depends on how it pools.
    if not context.model.v0_engine and not context.model.task.pools:
        if _caches_prefixes(context):
            idle["enable_prefix_caching"] = "is what the V1 engine does anyway"
        idle["enable_chunked_prefill"] = "is what the V1 engine does anyway"
    if context.model.tensor_parallel_size == 1:
        idle["disable_custom_all_reduce"] = "concerns GPUs that exchange data, and the model runs "
        idle["disable_custom_all_reduce"] += "on one GPU"
    for name, reason in idle.items():
        if context.engine.get(name) is True:
            yield Problem(
                path=f"{context.path}.engine.{name}",
                value=True,
                reason=reason,
                remedy="Leave it out",
                rule="engine-argument-idle",
                candidates=(leave_out(f"{context.path}.engine.{name}", "leave it out"),),
            )


def _chunked_prefill(context: PlacedContext) -> Iterable[Problem]:
    """What the V1 engine makes of `enable_chunked_prefill: false`."""
    if context.model.v0_engine or context.model.task.pools:
        return
    if context.engine.get("enable_chunked_prefill") is not False:
        return
    vllm = context.spec.release.vllm
    obeyed = vllm_behaviour(vllm).chunked_prefill_obeyed
    path = f"{context.path}.engine.enable_chunked_prefill"
    yield Problem(
        path=path,
        value=False,
        reason="makes every step wait for the longest prompt, and vLLM says that it may crash or "
        "answer wrong"
        if obeyed
        else f"is set to true by the V1 engine of vLLM {vllm}",
        remedy="Leave it out",
        rule="chunked-prefill-off" if obeyed else "engine-argument-idle",
        candidates=(
            leave_out(path, "leave it out"),
            *((_latency_instead(context, path),) if obeyed else ()),
        ),
    )


def _latency_instead(context: PlacedContext, path: str) -> WayOut:
    words = "use profile: latency instead, which keeps steps short"
    return together(words, leave_out(path), use(f"{context.path}.profile", "latency"))
