"""The kubeconfig of a GKE cluster: its address and how to sign in, and no credential.

Whoever runs `pulumi` signs in through gke-gcloud-auth-plugin with their own Google identity. A
token written into a kubeconfig would expire within the hour and change at every preview.
"""

import pulumi


def gke_kubeconfig(
    endpoint: pulumi.Input[str],
    cluster_ca_certificate: pulumi.Input[str],
    context: str,
) -> pulumi.Output[str]:
    """A kubeconfig in JSON, which is YAML too.

    endpoint: host or address of the control plane, without scheme.
    cluster_ca_certificate: base64, as GKE's API gives it.
    context: the name of cluster, user and context in it.
    """
    return pulumi.Output.json_dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "clusters": [
                {
                    "name": context,
                    "cluster": {
                        "server": pulumi.Output.concat("https://", endpoint),
                        "certificate-authority-data": cluster_ca_certificate,
                    },
                }
            ],
            "users": [{"name": context, "user": {"exec": _SIGN_IN}}],
        }
    )


_SIGN_IN = {
    "apiVersion": "client.authentication.k8s.io/v1beta1",
    "command": "gke-gcloud-auth-plugin",
    "installHint": "gcloud components install gke-gcloud-auth-plugin",
    "interactiveMode": "IfAvailable",
    "provideClusterInfo": True,
}
