"""The echo engine (echo.py) behind Ray Serve 2.60.0."""

from typing import Any

from echo import Health, check_gpus, check_weights, faults, start_as_told
from engine_metrics import NEW, RayMetrics, nowhere
from ray import serve
from ray.llm._internal.serve.engines.vllm.vllm_engine import VLLMEngine
from ray.util import metrics
from request_counts import RequestCounts
from vllm_answers import VllmEcho


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
        context = self.llm_config.get_or_create_callback().ctx
        self._prepare_engine_config(context)
        check_gpus(context.placement_group, self.llm_config.get_engine_config().num_devices)
        self._engine_client = Health(model_id)
        echo = VllmEcho(model_id, self.llm_config.engine_kwargs, _counts(self.llm_config))
        self._oai_serving_chat = self._oai_serving_completion = echo
        self._running = True


def _counts(llm_config: Any) -> RequestCounts:
    """What the engine counts; Ray exports it if the configuration says so."""
    model_id, context = llm_config.model_id, llm_config.engine_kwargs.get("max_model_len", 0)
    record = nowhere
    if llm_config.log_engine_metrics:
        record = RayMetrics(metrics, model_id, NEW, context, _replica()).record
    return RequestCounts(record, context, lambda: faults(model_id))


def _replica() -> str:
    try:
        return str(serve.get_replica_context().replica_id.unique_id)
    except serve.exceptions.RayServeException:
        return ""
