"""The arguments of the engine."""

from engine_arguments import async_engine_args

AsyncEngineArgs = async_engine_args(__name__)
