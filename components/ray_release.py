"""What a preview says before the Ray release of a running service changes.

A change of Ray or its image is an edit of one line, or of none: a stack that names no release
follows the default of this program. KubeRay then builds a second Ray cluster, which nobody should
learn from the bill.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from models.catalog import DEFAULT_RAY, ray_releases


def release_hook(name: str, *, names_release: bool) -> pulumi.ResourceHookBinding:
    """The hook of the RayService `name` that warns of another release, at previews.

    It compares what the state holds with what is to come, and so needs nothing that an earlier
    version of this program would have had to write.

    names_release: whether the stack says which Ray it wants.
    """
    hook = pulumi.ResourceHook(
        f"{name}-release",
        _Comparing(names_release=names_release),
        pulumi.ResourceHookOptions(on_dry_run=True),
    )
    return pulumi.ResourceHookBinding(before_update=[hook])


@dataclass(frozen=True, kw_only=True)
class _Comparing:
    """The hook: warns if the RayService has another Ray or another image."""

    names_release: bool

    # Pulumi names a hook by this.
    __name__ = "compare_release"

    def __call__(self, args: pulumi.ResourceHookArgs) -> None:
        if not pulumi.runtime.is_dry_run():
            return
        warning = release_warning(
            args.old_inputs or {}, args.new_inputs or {}, names_release=self.names_release
        )
        if warning:
            pulumi.warn(warning)


def release_warning(
    old: Mapping[str, Any], new: Mapping[str, Any], *, names_release: bool
) -> str | None:
    """What to know before a RayService changes from `old` to `new`; None if its release stays.

    Of an object that is not known, or whose form is another one, nothing is said.
    """
    before, after = _release_of(old), _release_of(new)
    if before is None or after is None or before == after:
        return None
    changed = f"{_in_words(before)} becomes {_in_words(after)}"
    if not names_release and before.ray != after.ray:
        changed += f", because the stack names no release and the default is Ray {DEFAULT_RAY} now"
    stays = _how_to_stay(before)
    return (
        f"{changed}. KubeRay starts a second Ray cluster beside the old one: until it answers, the "
        f"GPUs are needed twice, and every model loads anew.{f' {stays}' if stays else ''}"
    )


@dataclass(frozen=True, kw_only=True)
class _Release:
    ray: str
    image: str


def _release_of(inputs: Mapping[str, Any]) -> _Release | None:
    try:
        cluster = inputs["spec"]["rayClusterConfig"]
        containers = cluster["headGroupSpec"]["template"]["spec"]["containers"]
        ray, image = cluster["rayVersion"], containers[0]["image"]
    except (KeyError, IndexError, TypeError):
        return None
    return (
        _Release(ray=ray, image=image) if isinstance(ray, str) and isinstance(image, str) else None
    )


def _in_words(release: _Release) -> str:
    return f"Ray {release.ray} ({release.image})"


def _how_to_stay(release: _Release) -> str:
    row = ray_releases().get(release.ray)
    if row is None:
        return f"This version of the program has no Ray {release.ray}: an earlier one keeps it."
    image = "" if row.image == release.image else f', image: "{release.image}"'
    return f"To stay, write ray-llm:versions: {{ray: {release.ray}{image}}}."
