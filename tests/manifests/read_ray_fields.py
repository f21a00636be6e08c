"""Reads the fields of Ray's configuration classes from published wheels, for ray_fields.json.

Usage: python tests/manifests/read_ray_fields.py ray-2.49.1-*.whl [more wheels] > ray_fields.json
The wheels come from `pip download ray==<version> --no-deps`; none of their code is imported.
"""

import ast
import json
import sys
import zipfile
from pathlib import Path

CLASSES = {
    "LLMConfig",
    "ModelLoadingConfig",
    "CloudMirrorConfig",
    "PlacementGroupConfig",
    "DeploymentConfig",
    "AutoscalingConfig",
    "ServeDeploySchema",
    "HTTPOptionsSchema",
    "ServeApplicationSchema",
    "DeploymentSchema",
    "RayActorOptionsSchema",
    "LLMRouter",
    "OpenAiIngress",
}
FOLDERS = ("ray/llm/_internal/", "ray/serve/")
WRAPPERS = "ray/serve/llm/"  # subclasses with the same names and no further fields


def fields(wheel: Path) -> dict[str, dict[str, object]]:
    """Public annotated fields by class, each class with the file that defines it."""
    found: dict[str, dict[str, object]] = {}
    with zipfile.ZipFile(wheel) as archive:
        for path in sorted(archive.namelist()):
            if (
                not path.startswith(FOLDERS)
                or path.startswith(WRAPPERS)
                or not path.endswith(".py")
            ):
                continue
            for node in ast.parse(archive.read(path)).body:
                if isinstance(node, ast.ClassDef) and node.name in CLASSES:
                    names = [
                        item.target.id
                        for item in node.body
                        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
                    ]
                    public = [name for name in names if not name.startswith("_")]
                    found[node.name] = {"file": path, "fields": public}
    return found


if __name__ == "__main__":
    wheels = [Path(argument) for argument in sys.argv[1:]]
    versions = {wheel.name.split("-")[1]: fields(wheel) for wheel in wheels}
    json.dump(versions, sys.stdout, indent=1, sort_keys=True)
    print()
