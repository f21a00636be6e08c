"""A stand-in for vLLM: the names that Ray Serve 2.49.1 imports, without a model.

The engine and front-end arguments have the names and types of the pinned vLLM,
so an argument that the real engine would refuse is refused here.
"""

from vllm.engine import arg_utils

__all__ = ["arg_utils"]
