#!/usr/bin/env bash
# A Literal as the type of a component's argument ends Pulumi's analyzer of components in a TypeError
# that names neither the argument nor its class.
#
# Version: pulumi 3.259.0 (pulumi.provider.experimental.analyzer), Python 3.11.
# One would guess: a Literal of texts is described as a text or as an enum, or is refused by name.
# Seen: Optional, Enum and list of texts are described. A Union is refused in both spellings, by the
# name of class and argument. A Literal raises `TypeError: issubclass() arg 1 must be a class`.
# What it means: a component that other languages shall use takes an Enum instead.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pulumi==3.259.0'
cat > "$folder/described.py" <<'PYTHON'
import enum
from importlib.metadata import version
from typing import Literal, Optional, TypedDict, Union

import pulumi
from pulumi.provider.experimental.analyzer import Analyzer


class Driver(enum.Enum):
    LATEST = "LATEST"


CASES = {
    "Optional[str]": (Optional[str], None),
    "Enum": (Driver, None),
    "list[str]": (list[str], None),
    "Union[int, str]": (Union[int, str], "Args.value"),
    "int | str": (int | str, "Args.value"),
    "Literal['LATEST']": (Literal["LATEST"], "issubclass() arg 1 must be a class"),
}
print("pulumi", version("pulumi"))
for name, (hint, expected) in CASES.items():
    Args = TypedDict("Args", {"value": hint})

    class Component(pulumi.ComponentResource):
        def __init__(self, name: str, args: Args, opts: Optional[pulumi.ResourceOptions] = None):
            super().__init__("a:b:Component", name, {}, opts)

    Component.__init__.__annotations__["args"] = Args
    try:
        Analyzer("sample").analyze([Component])
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
    else:
        seen = None
    print(f"{name:18}", seen or "described")
    if (seen is None) != (expected is None) or (expected and expected not in seen):
        raise SystemExit(f"changed: expected {expected}")
    if expected and expected.startswith("issubclass") and "value" in seen:
        raise SystemExit("changed: the argument is named")
PYTHON
"$folder/venv/bin/python" "$folder/described.py"
