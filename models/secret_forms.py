"""What a secret looks like: credentials that have no place in a stack file, by their form.

A stack file is committed, and its values are shown in plans, previews and pull requests. Only the
key `huggingFaceToken` and the keys of `access` may hold secrets, encrypted by Pulumi. Everything
else is searched by these forms, and a text that has one is shown nowhere.

The forms are those with a fixed beginning or a fixed place, so that no hash, model name or path
is taken for one. detect-secrets 1.5, the library for it, was tried: its detectors of high entropy
take model names and digests for secrets, it knows no Hugging Face token, and to load it takes two
thirds of the time of a plan. The forms follow what the issuers document and the rules of gitleaks
(https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml, MIT), read 2026-11.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, kw_only=True)
class SecretForm:
    """One kind of secret.

    name: with its article. starts: a text without any of these, in lower case, holds none.
    expression: what to hide, a regular expression, which is compiled for texts that may hold it
    only: to compile all takes a tenth of the time of a plan.
    of_hugging_face: whether it is the one secret that a stack can have.
    """

    name: str
    starts: tuple[str, ...]
    expression: str
    of_hugging_face: bool = False

    def found_in(self, text: str) -> bool:
        """Whether a text holds such a secret."""
        return self._may_be_in(text) and re.search(self.expression, text) is not None

    def hidden_in(self, text: str) -> str:
        """The text with such secrets replaced."""
        return re.sub(self.expression, HIDDEN, text) if self._may_be_in(text) else text

    def _may_be_in(self, text: str) -> bool:
        folded = text.lower()
        return any(start in folded for start in self.starts)


HIDDEN: Final = "[secret]"


def _form(name: str, starts: str, expression: str, of_hugging_face: bool = False) -> SecretForm:
    return SecretForm(
        name=name,
        starts=tuple(starts.split()),
        # Not within a longer word, which the beginning of a token may well be.
        expression=rf"(?<![A-Za-z0-9]){expression}",
        of_hugging_face=of_hugging_face,
    )


_PRIVATE_KEY: Final = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
# What stands for a value that something else puts in: ${NAME}, $(NAME), $NAME, {{name}}, <name>.
_PLACEHOLDER: Final = r"(?:\$[A-Za-z_({]|\{\{|<)"

FORMS: Final = (
    _form("a Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{16,}", of_hugging_face=True),
    _form("a Hugging Face token", "api_org_", r"api_org_[A-Za-z0-9]{20,}", of_hugging_face=True),
    _form("an OpenAI key", "sk-", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}"),
    _form("an Anthropic key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,}"),
    _form("an API key", "sk-", r"sk-(?:or-v1-)?(?=[a-z]*[0-9A-Z])[A-Za-z0-9]{20,}"),
    _form("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{20,}"),
    _form("a GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{20,}"),
    _form("a GitLab token", "gl", r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}"),
    _form(
        "an AWS access key",
        "akia asia abia acca",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    _form("a Google API key", "aiza", r"AIza[A-Za-z0-9_-]{35}"),
    _form("a Google OAuth secret", "gocspx-", r"GOCSPX-[A-Za-z0-9_-]{20,}"),
    _form("a Google access token", "ya29.", r"ya29\.[A-Za-z0-9_-]{20,}"),
    _form("a Cloud Storage HMAC key", "goog1", r"GOOG1[A-Z0-9]{20,}(?![A-Za-z0-9])"),
    _form("an NVIDIA API key", "nvapi-", r"nvapi-[A-Za-z0-9_-]{20,}"),
    _form("a Weights & Biases key", "wandb_v1_", r"wandb_v1_[A-Za-z0-9_-]{20,}"),
    _form("a Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _form("a Pulumi token", "pul-", r"pul-[0-9a-f]{40}"),
    _form("a Replicate token", "r8_", r"r8_[A-Za-z0-9]{30,}"),
    _form("a Groq key", "gsk_", r"gsk_[A-Za-z0-9]{30,}"),
    _form("a Stripe key", "k_live_ k_test_", r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _form("an npm token", "npm_", r"npm_[A-Za-z0-9]{30,}"),
    _form("a PyPI token", "pypi-", r"pypi-[A-Za-z0-9_-]{50,}"),
    _form("a Docker Hub token", "dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    _form("a Databricks token", "dapi", r"dapi[0-9a-f]{32}"),
    _form("a Vault token", "hvs. hvb. hvr.", r"hv[sbr]\.[A-Za-z0-9_-]{20,}"),
    _form(
        "a JSON Web Token",
        "eyj",
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    ),
    _form(
        "a bearer token",
        "bearer",
        rf"(?i:bearer)\s+(?!{_PLACEHOLDER})(?=\S*[0-9])[A-Za-z0-9._~+/=-]{{16,}}",
    ),
    SecretForm(
        name="a private key",
        starts=("private key",),
        expression=rf"{_PRIVATE_KEY}(?:[\s\S]*?-----END [A-Z0-9 ]{{0,40}}-----|[\s\S]*)",
    ),
    SecretForm(
        name="a password in a URL",
        starts=("://",),
        expression=rf"(?<=://)[^\s/?#@:]*:(?!{_PLACEHOLDER})[^\s/?#@]+(?=@)",
    ),
    SecretForm(
        name="a credential in a URL",
        starts=("?", "&"),
        expression=r"(?i)(?<=[?&])(?:access_token|auth_token|token|api_key|apikey|key|sig|signature|secret"
        r"|password|X-Amz-Signature|X-Goog-Signature|X-Amz-Security-Token)"
        rf"=(?!{_PLACEHOLDER})[^\s&#\"']{{8,}}",
    ),
    SecretForm(
        name="an Azure storage key",
        starts=("accountkey=",),
        expression=r"(?i)(?<=AccountKey=)[A-Za-z0-9+/=]{20,}",
    ),
)
OF_KEY: Final = SecretForm(name="what its name calls a secret", starts=(), expression="(?!)")
"""What `is_secret_of_key` finds; it has no form of its own."""

# The last words of keys whose value is a secret whatever it looks like.
_KEY: Final = (
    r"(?:^|[a-z0-9]_|_)(?:password|passwd|passphrase|secret|secret_key|secret_access_key"
    r"|session_token|private_key|private_key_id|client_secret|api_key|apikey|access_token"
    r"|auth_token|refresh_token|account_key|credentials?|sas_token|hf_token|token)$"
)
_CAMEL: Final = r"(?<=[a-z0-9])(?=[A-Z])"
# A value that a key of such a name holds: not a word, a path, a variable's name or a placeholder.
_RANDOM: Final = r"(?=\S*[0-9])(?=\S*[A-Za-z])[A-Za-z0-9+/=_.~!@#%^&*-]{12,}"
_PASSWORD: Final = r"(?:^|_)(?:password|passwd|passphrase)$"  # noqa: S105 - a pattern


# Most texts hold none of the beginnings, and a stack says the same keys and values many times.
_ANY_START: Final = re.compile(
    "|".join(re.escape(start) for form in FORMS for start in form.starts), re.IGNORECASE
)


@lru_cache(maxsize=4096)
def secret_form(text: str) -> SecretForm | None:
    """The first form of a secret in a text; None if it holds none."""
    if _ANY_START.search(text) is None:
        return None
    return next((form for form in FORMS if form.found_in(text)), None)


def is_secret_of_key(key: str, value: str) -> bool:
    """Whether the name of a key says that its value is a secret, and the value may be one.

    An AWS secret key, a password: they have no form of their own.
    """
    name = re.sub(_CAMEL, "_", key.strip()).replace("-", "_").lower()
    if re.search(_KEY, name) is None:
        return False
    if re.match(_PLACEHOLDER, value) or value.startswith(("/", "./")):
        return False
    if re.search(_PASSWORD, name):
        return bool(value.strip())
    return re.fullmatch(_RANDOM, value) is not None


def without_secrets(text: str) -> str:
    """The text with everything that has the form of a secret replaced."""
    if _ANY_START.search(text) is None:
        return text
    for form in FORMS:
        text = form.hidden_in(text)
    return text
