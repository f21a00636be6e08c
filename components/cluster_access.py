"""The way to a cluster's API server that a Kubernetes provider takes, for what is not a resource.

Most of the program reaches a cluster through Pulumi's provider. KubeRay's CRDs are applied by hooks
of this program, which need the same kubeconfig and the same context.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pulumi
import yaml

_AMBIENT_KUBECONFIG: Final = "~/.kube/config"


@dataclass(frozen=True, kw_only=True)
class ClusterAccess:
    """How to reach a cluster.

    kubeconfig: the content of a kubeconfig or the path of one; None for the caller's own.
    context: a context in it; None for its current one.
    """

    kubeconfig: str | None = None
    context: str | None = None

    def content(self) -> tuple[Mapping[str, Any], Path | None]:
        """The kubeconfig, and its file if it is one.

        Raises OSError, ValueError or yaml.YAMLError if it cannot be read.
        """
        text = self.kubeconfig
        if text is not None and ("\n" in text or text.lstrip().startswith("{")):
            return _mapping(text), None
        # As kubectl does, though of several files only the first is read.
        path = text or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or _AMBIENT_KUBECONFIG
        file = Path(path).expanduser()
        return _mapping(file.read_text("utf-8")), file


@dataclass(frozen=True, kw_only=True)
class AccessOfProvider:
    """The access that a Kubernetes provider has, as far as a run knows it."""

    kubeconfig: pulumi.Output[str | None]
    context: pulumi.Output[str | None]

    @classmethod
    def of(cls, provider: pulumi.ProviderResource | None) -> "AccessOfProvider":
        """The access of a provider; None is the stack's default provider.

        A provider's arguments are its outputs, though the SDK's class names neither of these.
        """
        config = pulumi.Config("kubernetes")
        values = {
            key: config.get(key) if provider is None else getattr(provider, key, None)
            for key in ("kubeconfig", "context")
        }
        return cls(**{key: pulumi.Output.from_input(value) for key, value in values.items()})

    async def known(self) -> ClusterAccess | None:
        """The access; None if a preview does not know it, because the cluster is not there yet.

        At a preview an argument that a provider does not have is unknown as well. So it is enough
        that one of the two is known.
        """
        kubeconfig, context = await _known(self.kubeconfig), await _known(self.context)
        if kubeconfig is _UNKNOWN and context is _UNKNOWN:
            return None
        return ClusterAccess(
            kubeconfig=None if kubeconfig is _UNKNOWN else kubeconfig,
            context=None if context is _UNKNOWN else context,
        )


_UNKNOWN: Final[Any] = object()


async def _known(output: pulumi.Output[str | None]) -> Any:
    return await output.future() if await output.is_known() else _UNKNOWN


def _mapping(text: str) -> Mapping[str, Any]:
    content = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    if not isinstance(content, dict):
        raise ValueError("it is not a kubeconfig")
    return content
