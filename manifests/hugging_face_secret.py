"""Writes the Secret for the Hugging Face token, which the GPU workers mount as a file."""

from typing import Any

from manifests.labels import labels
from planning import Plan

SECRET_NAME = "huggingface-secret"  # noqa: S105 - the name of the Secret
SECRET_KEY = "token"  # noqa: S105 - the name of its key


def hugging_face_secret(plan: Plan) -> dict[str, Any]:
    """The Secret without its `stringData`: whoever creates it adds the token."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET_NAME,
            "namespace": plan.service.namespace,
            "labels": labels(plan, "hugging-face-token"),
        },
        "type": "Opaque",
    }
