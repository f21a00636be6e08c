"""The echo engine (echo.py) behind Ray Serve 2.49.1."""

from echo import Echo, Health, check_gpus, start_as_told
from ray.llm._internal.serve.deployments.llm.vllm.vllm_engine import VLLMEngine
from ray.llm._internal.serve.deployments.utils.node_initialization_utils import (
    InitializeNodeOutput,
)


class EchoEngine(VLLMEngine):
    """Ray Serve's vLLM engine class, with `start` and everything after it replaced."""

    async def start(self) -> None:
        """Check the engine arguments, take the GPUs, and become ready.

        Raises RuntimeError with the text that the faults file gives for this model.
        """
        model_id = self.llm_config.model_id
        await start_as_told(model_id)
        engine = self.llm_config.get_engine_config()
        placement_group = engine.get_or_create_pg()
        runtime_env = engine.get_runtime_env_with_local_env_vars()
        self._prepare_engine_config(InitializeNodeOutput(placement_group, runtime_env, {}))
        check_gpus(placement_group, engine.num_devices)
        self._engine_client = Health(model_id)
        self._oai_serving_chat = self._oai_serving_completion = Echo(model_id)
        self._running = True
