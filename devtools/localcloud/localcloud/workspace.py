"""The folder that pulumi sees of a project: generated copies, so the checkout stays clean.

Pulumi writes an encryption salt into stack files, and a stack file of a real
deployment has secrets that only its owner can decrypt. The local cloud
therefore runs in a separate folder. It holds copies of `Pulumi.yaml` (whose
`main` points back to the program) and of the stack files, in which every secret
is a placeholder under a local key. A secret that is not encrypted (`secure: text`)
is encrypted as it is, so that a local stack can have values of its own. The copies
are updated before every command; the state is in the same folder.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from localcloud.store import locked, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PLACEHOLDER_TOKEN: Final = "hf_LocalCloudPlaceholderNoRealToken"  # noqa: S105 - public on purpose
_STACK_FILE: Final = re.compile(r"Pulumi\.(?P<stack>[\w.-]+)\.ya?ml")
_ENCRYPTION: Final = re.compile(
    r"^(encryptionsalt|secretsprovider|encryptedkey):.*(\n[ \t]+.*)*\n?", re.MULTILINE
)
_SECURE: Final = re.compile(r"(\bsecure:[ \t]*)([^\s}]+)")
_QUOTES: Final = "'\""
_CONFIG_BLOCK: Final = re.compile(r"^config:[ \t]*(#.*)?\n(?:[ \t]*(#.*)?\n)*", re.MULTILINE)


class WorkspaceError(Exception):
    """A project that cannot be run; the message says why and what to do."""


@dataclass(frozen=True)
class LocalSecret:
    """A placeholder, encrypted under a local salt with an empty passphrase."""

    salt: str
    ciphertext: str

    def encrypted(self, value: str, key: bytes) -> str:
        """Another value under the same salt, in the form of Pulumi's passphrase provider.

        key: `passphrase_key` of the salt. The same value gives the same text, so that a copy of a
        stack file changes only if its original does.
        """
        nonce = hashlib.sha256(f"{self.salt} {value}".encode()).digest()[:12]
        sealed = AESGCM(key).encrypt(nonce, value.encode(), None)
        return ":".join(("v1", *(base64.b64encode(part).decode() for part in (nonce, sealed))))


class Workspace:
    """The generated folder for one project directory."""

    def __init__(self, home: Path, project: Path) -> None:
        self.project = project.resolve()
        self.name, self._content = _project_file(self.project)
        digest = hashlib.sha256(str(self.project).encode()).hexdigest()[:8]
        self.folder = home / "projects" / f"{self.name}-{digest}"
        self.state = self.folder / "state"

    def sync(
        self,
        secret: LocalSecret,
        *,
        token_key: str | None,
        token_name: str | None = None,
        cache: Path,
    ) -> None:
        """Bring the copies in line with the project's files; see `localized`.

        cache: the folder in which the key of `secret` is kept.
        """
        self.state.mkdir(parents=True, exist_ok=True)

        def others(value: str) -> str:
            return secret.encrypted(placeholder(value), passphrase_key(cache, secret.salt))

        _write_if_changed(self.folder / "Pulumi.yaml", yaml.safe_dump(self._generated()))
        originals = self.stack_files()
        for stack, original in originals.items():
            text = original.read_text(encoding="utf-8")
            copy = localized(
                text,
                secret,
                token_key=token_key,
                others=others if token_name else None,
                token_name=token_name,
            )
            _write_if_changed(self.folder / f"Pulumi.{stack}.yaml", copy)
        for copied in self.folder.glob("Pulumi.*.yaml"):
            match = _STACK_FILE.fullmatch(copied.name)
            if match and match["stack"] not in originals:
                copied.unlink()

    def stack_files(self) -> dict[str, Path]:
        """The project's own stack files by stack name."""
        folder = self.project / str(self._content.get("stackConfigDir") or ".")
        return {
            match["stack"]: path
            for path in sorted(folder.glob("Pulumi.*"))
            if (match := _STACK_FILE.fullmatch(path.name))
        }

    def has_stack(self, stack: str) -> bool:
        """Whether the stack has state here."""
        return (self.state / ".pulumi" / "stacks" / self.name / f"{stack}.json").exists()

    def _generated(self) -> dict[str, Any]:
        content = {k: v for k, v in self._content.items() if k not in ("stackConfigDir", "backend")}
        content["main"] = str((self.project / str(self._content.get("main") or ".")).resolve())
        runtime = content.get("runtime")
        if isinstance(runtime, dict):
            options = dict(runtime.get("options") or {})
            if "virtualenv" in options:
                options["virtualenv"] = str((self.project / options["virtualenv"]).resolve())
            content["runtime"] = {**runtime, "options": options}
        return content


def _project_file(project: Path) -> tuple[str, dict[str, Any]]:
    for name in ("Pulumi.yaml", "Pulumi.yml"):
        path = project / name
        if path.is_file():
            break
    else:
        msg = f"{project} has no Pulumi.yaml; name a project's folder with --project."
        raise WorkspaceError(msg)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return str(content["name"]), content
    except (yaml.YAMLError, KeyError, TypeError) as error:
        msg = f"{path} is not a Pulumi project file: {error}."
        raise WorkspaceError(msg) from error


def placeholder(value: str) -> str:
    """What stands for a secret: itself if it is not encrypted, or a text that only it has."""
    if not value.startswith("v1:"):
        return value
    return f"sk-local-{hashlib.sha256(value.encode()).hexdigest()[:32]}"


def localized(
    text: str,
    secret: LocalSecret,
    *,
    token_key: str | None,
    others: Callable[[str], str] | None = None,
    token_name: str | None = None,
) -> str:
    """A stack file's text with the local key and with placeholders for its secrets.

    The config key `token_key` is added if the file does not have it. The text is edited
    instead of parsed and rewritten, so pulumi's messages match what its author wrote.
    others: the ciphertext for each secret but that of `token_name`; without it all are the same.
    """
    if text and not text.endswith("\n"):
        text += "\n"
    text = _ENCRYPTION.sub("", text)
    before = re.compile(rf"{re.escape(token_name or '')}[\"']?:[ \t]*\{{?\s*$")

    def local(found: re.Match[str]) -> str:
        if others is None or before.search(found.string, 0, found.start()):
            return f"{found[1]}{secret.ciphertext}"
        return f"{found[1]}{others(found[2].strip(_QUOTES))}"

    text = _SECURE.sub(local, text)
    if token_key and token_key not in re.sub(r"#.*", "", text):
        text = _with_token(text, secret, token_key)
    return f"{text}encryptionsalt: {secret.salt}\n"


def _with_token(text: str, secret: LocalSecret, key: str) -> str:
    block = _CONFIG_BLOCK.search(text)
    if block is not None:
        following = text[block.end() :]
        indent = re.match(r"[ \t]*", following)
        margin = indent[0] if indent and indent[0] else "  "
        token = f"{margin}{key}:\n{margin}  secure: {secret.ciphertext}\n"
        return f"{text[: block.end()]}{token}{following}"
    if re.search(r"^config:", text, re.MULTILINE) is None:
        return f"{text}config:\n  {key}:\n    secure: {secret.ciphertext}\n"
    try:
        content = yaml.safe_load(text)
        content["config"] = {**(content["config"] or {}), key: {"secure": secret.ciphertext}}
    except (yaml.YAMLError, TypeError):
        return text  # pulumi reports what is wrong with it
    dumped: str = yaml.safe_dump(content)
    return dumped


def local_secret(
    pulumi: Path, cache: Path, value: str, environment: Mapping[str, str]
) -> LocalSecret:
    """`value` encrypted by pulumi under a new salt; done once and kept in `cache`."""
    path = cache / f"secret-{hashlib.sha256(value.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        with locked(cache / ".secret.lock"):
            if not path.exists():
                write_atomically(path, json.dumps(_encrypt(pulumi, cache, value, environment)))
    return LocalSecret(**json.loads(path.read_text(encoding="utf-8")))


def passphrase_key(cache: Path, salt: str) -> bytes:
    """The key of Pulumi's passphrase provider for an empty passphrase; kept in `cache`.

    It is no secret, and a million rounds of PBKDF2 take half a second.
    """
    path = cache / f"key-{hashlib.sha256(salt.encode()).hexdigest()[:16]}"
    if not path.exists():
        key = hashlib.pbkdf2_hmac("sha256", b"", base64.b64decode(salt.split(":")[1]), 1_000_000)
        write_atomically(path, key.hex())
    return bytes.fromhex(path.read_text(encoding="utf-8"))


def _encrypt(
    pulumi: Path, cache: Path, value: str, environment: Mapping[str, str]
) -> dict[str, str]:
    folder = cache / "encrypt"
    (folder / "state").mkdir(parents=True, exist_ok=True)
    for old in folder.glob("Pulumi.*"):
        old.unlink()
    (folder / "Pulumi.yaml").write_text("{name: encrypt, runtime: python}", encoding="utf-8")
    command = [str(pulumi), "-C", str(folder), "--non-interactive"]
    backend = {**environment, "PULUMI_BACKEND_URL": f"file://{folder / 'state'}"}
    for arguments, text in (
        (["stack", "rm", "s", "--yes", "--force"], None),
        (["stack", "init", "s"], None),
        (["config", "set", "--secret", "value", "-s", "s"], value),
    ):
        done = subprocess.run(
            [*command, *arguments],
            input=text,
            env=backend,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 and arguments[1] != "rm":
            msg = f"pulumi could not encrypt the local placeholder: {done.stderr.strip()}"
            raise WorkspaceError(msg)
    content = yaml.safe_load((folder / "Pulumi.s.yaml").read_text(encoding="utf-8"))
    ciphertext = content["config"]["encrypt:value"]["secure"]
    return {"salt": content["encryptionsalt"], "ciphertext": ciphertext}


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text)
