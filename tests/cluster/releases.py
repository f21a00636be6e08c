"""The Ray release of the stacks of these tests, for all of them in one place.

`make e2e RAY=2.49.1` names it. Without a name it is the newest release that is `tested`.
`python -m tests.cluster.releases` prints the tested releases, the newest first.
"""

import os
from typing import Any, Final

from localcloud.cluster.installation import installed
from models.catalog.releases import RayRelease, Tested, ray_releases

VARIABLE: Final = "RAY_LLM_E2E_RAY"
VERSIONS: Final = "ray-llm:versions"


def tested_releases() -> list[str]:
    """The releases that these tests run, the newest first."""
    return [row.ray for row in reversed(ray_releases().values()) if row.tested is Tested.CLUSTER]


def release() -> RayRelease:
    """The row of the release with which the tests run.

    Raises ValueError if the local cluster has no environment with it or the table no row.
    """
    wanted = os.environ.get(VARIABLE) or tested_releases()[0]
    there = [each.release for each in installed().ray if each.release in ray_releases()]
    if wanted not in there:
        raise ValueError(f"the local cluster does not run Ray {wanted}, only {', '.join(there)}.")
    return ray_releases()[wanted]


def with_release(config: dict[str, Any], ray: str | None = None) -> dict[str, Any]:
    """The stack's config with this Ray release, or with that of the tests."""
    versions = {**config.get(VERSIONS, {}), "ray": ray or release().ray}
    return {**config, VERSIONS: versions}


if __name__ == "__main__":
    print("\n".join(tested_releases()))
