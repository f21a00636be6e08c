"""A stand-in for vLLM: the names that Ray Serve 2.49.1 imports, without a model.

The engine and front-end arguments are those of the pinned vLLM, by name and
type, so that an argument that the real engine would refuse is refused here.
"""

from vllm.engine import arg_utils

__all__ = ["arg_utils"]
