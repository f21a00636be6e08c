"""A Kubernetes object of Pulumi's Kubernetes provider, from a manifest.

The SDK has a class for each kind, but manifests are plain values, so its types would check nothing.
To import them (`pulumi_kubernetes.core.v1` alone is 30,000 lines) takes a third of the program's
start and some 60 MiB.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import pulumi

from manifests import Manifest

COPIED_ANNOTATIONS: Final = {
    # What reads the Secret would otherwise start without it; the condition says why it is missing.
    "pulumi.com/waitFor": "condition=Ready",
    "pulumi.com/timeoutSeconds": "120",
}
"""For an ExternalSecret: `up` waits until it has been copied once."""


class KubernetesObject(pulumi.CustomResource):
    """One object; its type token, and so its URN, is that of the SDK's class for the kind.

    metadata: annotations for Pulumi's provider, in addition to the manifest's metadata.
    secret_outputs: fields that hold secrets in whatever the API server answers.
    values: fields that the manifest leaves out, such as the token of a Secret.
    """

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        opts: pulumi.ResourceOptions,
        *,
        annotations: Mapping[str, str] | None = None,
        secret_outputs: Sequence[str] = (),
        values: Mapping[str, Any] | None = None,
    ) -> None:
        if annotations:
            manifest = with_annotations(manifest, annotations)
        group_version = manifest["apiVersion"]
        group = f"core/{group_version}" if "/" not in group_version else group_version
        super().__init__(
            f"kubernetes:{group}:{manifest['kind']}",
            name,
            {**manifest, **(values or {})},
            with_plugin(
                opts, pulumi.ResourceOptions(additional_secret_outputs=list(secret_outputs) or None)
            ),
        )


def with_annotations(manifest: Manifest, annotations: Mapping[str, str]) -> Manifest:
    """The manifest with more annotations."""
    metadata = manifest["metadata"]
    merged = {**metadata.get("annotations", {}), **annotations}
    return {**manifest, "metadata": {**metadata, "annotations": merged}}


def with_plugin(*opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """The options, with the version of the plugin that the SDK's own classes would name.

    It decides which plugin runs a provider that the program does not make itself.
    """
    merged = pulumi.ResourceOptions(version=version("pulumi_kubernetes"))
    for options in opts:
        merged = pulumi.ResourceOptions.merge(options, merged)
    return merged
