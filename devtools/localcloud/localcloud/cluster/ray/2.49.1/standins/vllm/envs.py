"""The only environment variable of vLLM that Ray Serve 2.49.1 reads."""

import os

VLLM_USE_V1 = os.environ.get("VLLM_USE_V1", "1") == "1"
