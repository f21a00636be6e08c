"""The echo engine (echo.py) behind Ray Serve 2.49.1."""

from typing import Any

from echo import Echo, Health, check_gpus, check_weights, faults, start_as_told
from engine_metrics import V0_10_0, RayMetrics, nowhere
from ray.llm._internal.serve.deployments.llm.vllm.vllm_engine import VLLMEngine
from ray.llm._internal.serve.deployments.utils.node_initialization_utils import (
    InitializeNodeOutput,
)
from ray.util import metrics
from request_counts import RequestCounts
from vllm import envs


class EchoEngine(VLLMEngine):
    """Ray Serve's vLLM engine class, with `start` and everything after it replaced."""

    async def start(self) -> None:
        """Check the weights and the engine arguments, take the GPUs, and become ready.

        Raises RuntimeError with the text that the faults file gives for this model, or for weights
        that are not in their bucket.
        """
        model_id = self.llm_config.model_id
        await start_as_told(model_id)
        check_weights(self.llm_config.model_loading_config.model_source)
        engine = self.llm_config.get_engine_config()
        placement_group = engine.get_or_create_pg()
        runtime_env = engine.get_runtime_env_with_local_env_vars()
        self._prepare_engine_config(InitializeNodeOutput(placement_group, runtime_env, {}))
        check_gpus(placement_group, engine.num_devices)
        self._engine_client = Health(model_id)
        echo = Echo(model_id, _counts(self.llm_config))
        self._oai_serving_chat = self._oai_serving_completion = echo
        self._running = True


def _counts(llm_config: Any) -> RequestCounts:
    """What the engine counts; Ray exports it if the configuration says so, and never of V0."""
    model_id, context = llm_config.model_id, llm_config.engine_kwargs.get("max_model_len", 0)
    record = nowhere
    if llm_config.log_engine_metrics and envs.VLLM_USE_V1:
        record = RayMetrics(metrics, model_id, V0_10_0, context).record
    return RequestCounts(record, context, lambda: faults(model_id))
