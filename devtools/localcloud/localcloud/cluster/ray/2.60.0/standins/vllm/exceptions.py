"""vLLM's own errors, as far as Ray Serve tells them apart."""


class VLLMError(Exception):
    """An error of vLLM."""


class VLLMClientError(VLLMError):
    """The request is wrong."""


class VLLMServerError(VLLMError):
    """The server is at fault."""
