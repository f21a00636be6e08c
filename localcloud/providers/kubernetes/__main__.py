"""Start the `kubernetes` stand-in; the engine runs this as `pulumi-resource-kubernetes`."""

from localcloud.providers.kubernetes.provider import KubernetesProvider
from localcloud.providers.server import serve

if __name__ == "__main__":
    serve(KubernetesProvider())
