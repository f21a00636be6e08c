"""Start the `kubernetes` stand-in; the engine runs this as `pulumi-resource-kubernetes`."""

from localcloud.providers.messages import declare_pulumi

if __name__ == "__main__":
    declare_pulumi()  # before anything imports pulumi's messages
    from localcloud.providers.kubernetes.provider import KubernetesProvider
    from localcloud.providers.server import serve

    serve(KubernetesProvider())
