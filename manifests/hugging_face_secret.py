"""Writes the Secret with the Hugging Face token, which the GPU workers mount as a file."""

from typing import Any

from manifests.namespace import labels
from planning import Plan

SECRET_NAME = "huggingface-secret"  # noqa: S105 - the name of the Secret
SECRET_KEY = "token"  # noqa: S105 - the name of its key


def hugging_face_secret(plan: Plan, token: object) -> dict[str, Any]:
    """The Secret around `token`, which may be a value that is not known yet."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET_NAME,
            "namespace": plan.service.namespace,
            "labels": labels(plan, "hugging-face-token"),
        },
        "type": "Opaque",
        "stringData": {SECRET_KEY: token},
    }
