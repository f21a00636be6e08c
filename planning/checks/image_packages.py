"""Packages in an image of one's own that Ray Serve LLM does not work with."""

from collections.abc import Iterable
from typing import Final

from models.problems import Problem
from planning.checks.contexts import StackContext
from planning.infrastructure.container_image import is_official

# Since this release FastAPI reads an endpoint's signature at the first request and no longer when
# the route is made. Ray makes the routes of its OpenAI front end in the process that builds the
# application, so in the replica it takes `self` for a parameter of the request.
# https://github.com/ray-project/ray/issues/64475; run with Ray 2.49.1 and 2.60.0 in
# findings/ray-serve-fastapi-self.sh.
FASTAPI_BELOW: Final = "0.137"


def image_package_problems(context: StackContext) -> Iterable[Problem]:
    """A warning for an image whose packages cannot be known from here."""
    versions = context.settings.versions
    if versions.image is None or is_official(versions.image):
        return
    yield Problem(
        path="ray-llm:versions.image",
        value=versions.image,
        reason=f"may hold FastAPI {FASTAPI_BELOW} or newer, with which Ray {versions.ray} refuses "
        'every request to a model (400, "Field required" for self)',
        remedy=f'Install "fastapi<{FASTAPI_BELOW}" in the image, then accept this warning',
        rule="image-fastapi",
    )
