"""Reads the running stack's configuration from the Pulumi engine.

It lists all keys, because `pulumi.Config.get` answers only for known names, and an unknown or
misspelt key must be an error. No decrypted value leaves this module, except for the Hugging Face
token and the keys of `ray-llm:access`, which leave it as secret outputs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pulumi
from pulumi.runtime import config as engine_config

from components.checked_settings import plan_or_stop
from models.access import ENCRYPTED
from models.access_keys import ACCESS, as_in_file, key_problems, key_texts, sound_keys
from models.problems import without_secrets
from models.reading import NAMESPACE, Reading, read_stack
from models.stack_file import StackFile, StackFileError, read_stack_file
from models.stack_keys import TOKEN_KEY
from planning import Plan
from reports.plan_data import plan_summary
from reports.plan_text import plan_text

_TOKEN_KEY = f"{NAMESPACE}:{TOKEN_KEY}"


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """The running stack's settings, as they were read, its token and its keys.

    hugging_face_token: a secret output; None if the stack has no token.
    access_keys: the key of each team, secret outputs; only those that can be checked.
    """

    reading: Reading
    hugging_face_token: pulumi.Output[str] | None
    access_keys: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)

    @classmethod
    def of_running_stack(cls) -> "StackConfig":
        """Reads all of `ray-llm:` and the two `gcp:` keys from the engine.

        Problems of the values do not raise here: `reading` holds them until the plan is made.
        """
        raw, secret_keys = _engine_values()
        token = raw.get(_TOKEN_KEY, "") if _TOKEN_KEY in secret_keys else ""
        values = {
            key: None if key in secret_keys else _parsed(key, value) for key, value in raw.items()
        }
        if _TOKEN_KEY in secret_keys and not token.strip():
            del values[_TOKEN_KEY]
        keys: Mapping[str, object] = {}
        if ACCESS in secret_keys:
            values[ACCESS], keys = _access(_parsed(ACCESS, raw[ACCESS]))
        reading = read_stack(
            pulumi.get_stack(), values, frozenset(secret_keys & values.keys()), Path.cwd()
        )
        return cls(
            reading=replace(reading, problems=(*reading.problems, *key_problems(keys))),
            hugging_face_token=pulumi.Output.secret(token.strip()) if token.strip() else None,
            access_keys={
                team: pulumi.Output.secret(text) for team, text in sound_keys(keys).items()
            },
        )

    def announced_plan(self) -> Plan:
        """The plan, with its table shown in the preview.

        Raises pulumi.RunError with every problem of the stack at once.
        """
        plan = plan_or_stop(self.reading)
        pulumi.info(without_secrets(plan_text(plan_summary(plan))))
        return plan


def _engine_values() -> tuple[Mapping[str, str], frozenset[str]]:
    """All configuration of the stack as texts, and the keys whose values are encrypted."""
    # Language hosts pass the configuration in one of two ways: as environment variables or, if the
    # program runs inside the host, by setting it in the SDK.
    values = {**engine_config.get_config_env(), **engine_config.CONFIG.get()}
    secret_keys = {
        key
        for key in values
        if engine_config.is_config_secret(key) or key in engine_config.get_config_secret_keys_env()
    }
    return values, frozenset(secret_keys)


def _access(decrypted: object) -> tuple[object, Mapping[str, object]]:
    """The decrypted section as the stack file holds it, None if encrypted as a whole; the keys."""
    file = _stack_file()
    in_file = None if file is None else file.values.get(ACCESS)
    if file is not None and ACCESS in file.secret_keys and in_file is None:
        return None, {}
    section = as_in_file(decrypted, in_file)
    encrypted = {team for team, text in key_texts(section).items() if text == ENCRYPTED}
    return section, {team: text for team, text in key_texts(decrypted).items() if team in encrypted}


def _stack_file() -> StackFile | None:
    """The file from which the engine probably read; programs inside another have none."""
    try:
        return read_stack_file(Path.cwd() / f"Pulumi.{pulumi.get_stack()}.yaml")
    except StackFileError:
        return None


def _parsed(key: str, value: str) -> object:
    """The engine passes lists and mappings as JSON, and plain texts as they are."""
    if not key.startswith(f"{NAMESPACE}:"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):  # not JSON, or numbers and nesting beyond Python
        return value
