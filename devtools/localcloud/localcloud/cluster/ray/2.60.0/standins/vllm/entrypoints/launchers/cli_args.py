"""The arguments of vLLM's own HTTP server."""

from engine_arguments import frontend_args

FrontendArgs = frontend_args(__name__)
