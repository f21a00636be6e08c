"""What looks like a secret, and what does not."""

import pytest

from models.secret_forms import FORMS, is_secret_of_key, secret_form, without_secrets

# Put together here, so that no scanner of repositories takes them for real ones.
RANDOM = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6"
SECRETS = {
    "hf_" + RANDOM[:34]: "a Hugging Face token",
    "api_org_" + RANDOM[:34]: "a Hugging Face token",
    "sk-proj-" + RANDOM: "an OpenAI key",
    "sk-" + RANDOM[:48]: "an API key",
    "sk-or-v1-" + RANDOM: "an API key",
    "sk-ant-" + "api03-" + RANDOM: "an Anthropic key",
    "ghp_" + RANDOM[:36]: "a GitHub token",
    "github_pat_" + RANDOM: "a GitHub token",
    "glpat-" + RANDOM[:20]: "a GitLab token",
    "AKIA" + "IOSFODNN7EXAMPLE": "an AWS access key",
    "AIza" + RANDOM[:35]: "a Google API key",
    "GOCSPX-" + RANDOM[:28]: "a Google OAuth secret",
    "ya29." + RANDOM: "a Google access token",
    "GOOG1E" + "A1B2C3D4E5F6G7H8I9J0K1L2": "a Cloud Storage HMAC key",
    "nvapi-" + RANDOM: "an NVIDIA API key",
    "wandb_v1_" + RANDOM: "a Weights & Biases key",
    "xoxb-" + "1234567890-" + RANDOM[:20]: "a Slack token",
    "pul-" + "0123456789abcdef" * 2 + "01234567": "a Pulumi token",
    "r8_" + RANDOM[:37]: "a Replicate token",
    "gsk_" + RANDOM: "a Groq key",
    "sk_live_" + RANDOM[:24]: "a Stripe key",
    "npm_" + RANDOM[:36]: "an npm token",
    "pypi-" + RANDOM + RANDOM: "a PyPI token",
    "dckr_pat_" + RANDOM[:27]: "a Docker Hub token",
    "dapi" + "0123456789abcdef" * 2: "a Databricks token",
    "hvs." + RANDOM[:24]: "a Vault token",
    "eyJ" + RANDOM + ".eyJ" + RANDOM + "." + RANDOM: "a JSON Web Token",
    "Bearer " + RANDOM: "a bearer token",
    "-----BEGIN RSA PRIVATE"
    + " KEY-----\nMIIE\n-----END RSA PRIVATE"
    + " KEY-----": "a private key",
    "-----BEGIN PRIVATE" + " KEY-----\\nMIIE": "a private key",
    "https://reader:" + "correct-horse@example.com/x": "a password in a URL",
    "redis://:" + "secret@cache:6379": "a password in a URL",
    "https://example.com/x?a=1&token=" + RANDOM: "a credential in a URL",
    "https://example.com/x?X-Amz-Signature=" + RANDOM: "a credential in a URL",
    "https://cdn.example.com/x?Expires=1&Signature=" + RANDOM: "a credential in a URL",
    "https://x.blob.example.com/m?sv=2024&sig=" + RANDOM: "a credential in a URL",
    "AccountName=x;AccountKey=" + RANDOM + "==": "an Azure storage key",
}


@pytest.mark.parametrize(("secret", "name"), SECRETS.items())
def test_a_secret_is_known_by_its_form_and_hidden(secret: str, name: str) -> None:
    form = secret_form(f"x {secret} y")
    assert form is not None
    assert form.name == name
    hidden = without_secrets(f"x {secret} y")
    assert "[secret]" in hidden
    assert RANDOM[:16] not in hidden


def test_every_form_has_an_example() -> None:
    assert {form.name for form in FORMS} == set(SECRETS.values())


@pytest.mark.parametrize(
    "text",
    [
        "Qwen/Qwen2.5-7B-Instruct",
        "TheBloke/Llama-2-7B-Chat-AWQ",
        "nvidia/Llama-3.3-70B-Instruct-FP4",
        "hf_overrides hf_token hf_config_path hf_transfer_enabled",
        "rayproject/ray-llm:2.49.1-py311-cu128",
        "us-docker.pkg.dev/acme/llm/ray-llm@sha256:" + "0f" * 32,
        "5617a9f61b028005a4858fdac845db406aefb181",  # a git revision
        "d41d8cd98f00b204e9800998ecf8427e",
        "registry.example.com:5000/ray-llm:2.49.1",
        "https://example.com:8080/a@b",
        "https://reader@example.com/x",
        "https://${USER}:${PASSWORD}@example.com",
        "https://$USER:$PASSWORD@example.com",
        "https://example.com/x?token=${TOKEN_OF_THE_STORE}",
        "gs://acme-models/llama?generation=12345678",
        "s3://acme-models/own-7b",
        "task-sk-learn-regression-2024-final",
        "sk-learnmodelwithoutdigits",
        "risk-a1B2c3D4e5F6g7H8i9J0k1",
        "Bearer authentication is required",
        "-----BEGIN CERTIFICATE-----",
        "ASIA-SOUTHEAST1",
        "v1:mUhM5UcFtWI=:jFmGLC5KzM+vLA==",  # as Pulumi encrypts
        "{%- for message in messages %}{{ message['content'] }}{% endfor %}",
    ],
)
def test_hashes_names_and_placeholders_are_no_secrets(text: str) -> None:
    assert secret_form(text) is None
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    ("key", "value", "secret"),
    [
        ("aws_secret_access_key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", True),
        ("secretAccessKey", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", True),
        ("WANDB_API_KEY", "0123456789abcdef0123456789abcdef01234567", True),
        ("password", "swordfish", True),
        ("db-password", "swordfish", True),
        ("auth_token", "a1b2c3d4e5f6", True),
        ("password", "${PASSWORD}", False),
        ("password", "", False),
        ("private_key", "/etc/keys/key1.pem", False),
        ("hf_token", "HF_TOKEN", False),
        ("hf_token", "true", False),
        ("token", "<s>", False),
        ("pad_token", "<|endoftext|>", False),
        ("eos_token", "</s>", False),
        ("tokenizer", "Qwen/Qwen2.5-7B-Instruct", False),
        ("api_key", "$API_KEY_OF_2024", False),
        ("max_tokens", "a1b2c3d4e5f6", False),
        ("name", "a1b2c3d4e5f6", False),
    ],
)
def test_the_name_of_a_key_tells_a_secret_without_a_form(
    key: str, value: str, secret: bool
) -> None:
    assert is_secret_of_key(key, value) == secret
