"""The local cloud while the local cluster runs: stacks are really deployed to it.

The Kubernetes provider is Pulumi's own here, not a stand-in. It signs in through
`gke-gcloud-auth-plugin`, as on GKE, and downloads KubeRay's files from
`localcloud/github.py`. Google is simulated as without a cluster, but answers with this
control plane's address. Records and state are deleted with the cluster.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path

from localcloud.cloud import LocalCloud, write_executable
from localcloud.cluster.cluster_state import ClusterState
from localcloud.network import through_proxy
from localcloud.providers.gcp.provider import CONTROL_PLANE_VARIABLE
from localcloud.workspace import PLACEHOLDER_TOKEN


class ClusterCloud(LocalCloud):
    """A local cloud whose one GKE cluster is the running local cluster."""

    def __init__(
        self,
        state: ClusterState,
        *,
        engine_cache: Path | None = None,
        token: str | None = PLACEHOLDER_TOKEN,
        secret_cache: Path | None = None,
    ) -> None:
        super().__init__(
            state.stacks, engine_cache=engine_cache, token=token, secret_cache=secret_cache
        )
        self.state = state

    @property
    def forks(self) -> Path | None:
        """The folder of the cluster's own fork server."""
        return Path(self.state.temp)

    @property
    def kubeconfig(self) -> str:
        """That of the cluster's administrator."""
        return self.state.kubeconfig

    def environment(self) -> dict[str, str]:
        """The variables of a local cloud, with those that lead to the cluster."""
        variables = super().environment()
        return {
            **variables,
            CONTROL_PLANE_VARIABLE: str(self.state.control_plane / "endpoint.json"),
        }

    def network_environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables with which a program reaches this cluster, and of GitHub KubeRay's CRDs."""
        authority = self.state.control_plane / "authority.pem"
        return {
            **through_proxy(dict(variables), self.state.github, authority),
            # Before a real sign-in command, which would ask Google.
            "PATH": f"{self._sign_in.parent}:{variables.get('PATH', '')}",
            # For programs that take the cluster of the caller's own kubeconfig.
            "KUBECONFIG": self.kubeconfig,
        }

    def install(self) -> Path:
        """Install as without a cluster, and write the command that signs in to the cluster."""
        pulumi = super().install()
        credential = self.state.control_plane / "exec-credential.json"
        write_executable(self._sign_in, f"#!/bin/sh\nexec cat {shlex.quote(str(credential))}\n")
        return pulumi

    def plugin_script(self, name: str) -> str:
        """Start Pulumi's own Kubernetes provider; of all downloads it can reach only KubeRay's."""
        if name != "kubernetes":
            return super().plugin_script(name)
        helm = self.home / "helm"
        variables = {
            "HTTPS_PROXY": self.state.github,
            "NO_PROXY": "127.0.0.1",
            "SSL_CERT_FILE": str(self.state.control_plane / "authority.pem"),
            "HELM_CACHE_HOME": str(helm / "cache"),
            "HELM_CONFIG_HOME": str(helm / "config"),
            "HELM_DATA_HOME": str(helm / "data"),
        }
        exports = "".join(
            f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()
        )
        return f'#!/bin/sh\n{exports}exec {shlex.quote(self.state.provider)} "$@"\n'

    @property
    def _sign_in(self) -> Path:
        return self.home / "sign-in" / "gke-gcloud-auth-plugin"
