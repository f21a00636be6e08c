"""Writes the Secret for the Hugging Face token, which the GPU workers mount as a file."""

from typing import Any

from manifests.external_secrets import external_secret
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


def mounted_secret(plan: Plan) -> str:
    """The name of the Secret that the GPU workers mount; another one starts a second cluster."""
    reference = plan.hugging_face_token
    return (reference and reference.existing_secret) or SECRET_NAME


def external_token(plan: Plan) -> tuple[dict[str, Any], ...]:
    """What copies the token from the store of secrets; empty if it is kept elsewhere.

    The Secret's name is the usual one, so that it costs no rollout to keep the token there.
    """
    reference = plan.hugging_face_token
    if reference is None or reference.secret_manager is None:
        return ()
    token = external_secret(
        plan, SECRET_NAME, {SECRET_KEY: reference.secret_manager}, refresh="10m"
    )
    return (token,)
