"""A deployment of the real program on the real engine, in a separate local cloud.

The program and its stack files are used unchanged. Only the folder with `Pulumi.yaml` belongs to
the test, so that a test can write and edit stack files there.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localcloud.cloud import LocalCloud, Project

CHECKOUT = Path(__file__).parents[2]
# The program with KubeRay's CRDs as resources of their own, as earlier versions had them.
EARLIER_LAYOUT = CHECKOUT / "tests" / "engine" / "earlier_layout"
# Encrypting the token takes a second, and all tests have the same.
SECRETS = CHECKOUT / ".localcloud"
# In the form of a real token, so that code which searches for tokens finds it.
TOKEN = "hf_EngineTestTokenThatMustNotLeak0123"


def shipped_config(stack: str) -> dict[str, Any]:
    """The `config` of a stack file that ships with the program."""
    text = (CHECKOUT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(text)["config"]
    return config


@dataclass(frozen=True)
class Change:
    """One step of a preview that is not `same`."""

    operation: str
    type: str
    name: str


class Deployment:
    """One stack of the program, in a project folder below `folder`.

    `cloud` is the cloud to deploy to; by default a new cloud, also below `folder`.
    """

    def __init__(
        self,
        folder: Path,
        stack: str,
        config: Mapping[str, Any] | str,
        cloud: LocalCloud | None = None,
    ) -> None:
        self.stack = stack
        self.folder = folder / "project"
        self.folder.mkdir(parents=True)
        self.run_program(CHECKOUT)
        self.write(config)
        self.cloud = cloud or LocalCloud(folder / "cloud", token=TOKEN, secret_cache=SECRETS)

    @property
    def project(self) -> Project:
        """The project in the local cloud."""
        return self.cloud.project(self.folder)

    def run_program(self, main: Path) -> None:
        """Make commands run the program in the folder `main`; by default it is today's."""
        content = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text(encoding="utf-8"))
        content["main"] = str(main)
        content["runtime"]["options"]["virtualenv"] = str(CHECKOUT / ".venv")
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    def write(self, config: Mapping[str, Any] | str) -> None:
        """Replace the stack file; a string is written unchanged."""
        text = config if isinstance(config, str) else yaml.safe_dump({"config": dict(config)})
        (self.folder / f"Pulumi.{self.stack}.yaml").write_text(text, encoding="utf-8")

    def pulumi(
        self, *arguments: str, faults: list[dict[str, Any]] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a pulumi command on the stack."""
        rules = None if faults is None else json.dumps(faults)
        return self.project.pulumi(*arguments, "--stack", self.stack, faults=rules)

    def preview(self) -> subprocess.CompletedProcess[str]:
        """`pulumi preview` as a person sees it."""
        return self.pulumi("preview")

    def changes(self) -> set[Change]:
        """The changes that `pulumi preview --json` reports."""
        done = self.pulumi("preview", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        steps = json.loads(done.stdout).get("steps", [])
        return {
            Change(step["op"], urn_type(step["urn"]), step["urn"].rsplit("::", 1)[1])
            for step in steps
            if step["op"] != "same"
        }

    def up(self, *, faults: list[dict[str, Any]] | None = None) -> subprocess.CompletedProcess[str]:
        """`pulumi up` without its preview, for tests that do not need one."""
        return self.pulumi("up", "--skip-preview", faults=faults)

    def must_up(self) -> str:
        """Run an `up` that has to succeed; returns its output."""
        done = self.up()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def state(self) -> list[dict[str, Any]]:
        """The resources in the stack's state."""
        done = self.pulumi("stack", "export")
        assert done.returncode == 0, done.stderr
        resources: list[dict[str, Any]] = json.loads(done.stdout)["deployment"].get("resources", [])
        return resources

    def existing(self) -> set[str]:
        """The ids of everything that exists in the cloud."""
        return set(self.cloud.cloud_objects())


def urn_type(urn: str) -> str:
    """The type token of a resource, without those of its parents."""
    return urn.split("::")[2].rsplit("$", 1)[-1]
