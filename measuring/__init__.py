"""How fast a deployed model is: a bounded load test of its OpenAI API.

This is all of measuring that other folders import.

Why none of the kept tools runs here, as seen on 2026-11-29:

- GuideLLM 0.8.1 installs 97 packages, PyTorch with the libraries of CUDA among them.
- inference-perf 0.7.0 installs 78 and needs Python 3.12; this program runs on 3.11.
- AIPerf 0.13.0 installs 139, among them a web server, a database layer and a test framework.
- `vllm bench serve` comes with vLLM, which is larger than all of these.

Each also wants the model's tokenizer on the machine that measures, to make prompts of a length:
that is a download from Hugging Face, for gated models with a token there, and not possible for
weights in a bucket. What is measured here needs none: vLLM counts the tokens of each request itself
and says so at the end of its stream. Whoever has one of these tools can point it at the same
address.
"""

from measuring.errors import LoadError
from measuring.levels import LoadResult
from measuring.load_test import LEVELS, Load, measured_levels

__all__ = ["LEVELS", "Load", "LoadError", "LoadResult", "measured_levels"]
