"""The error of a cluster that cannot be asked."""

from models.problems import without_secrets


class UnreachableError(Exception):
    """The cluster cannot be asked at all; the text is one sentence and has no secrets."""

    def __init__(self, text: str) -> None:
        super().__init__(without_secrets(text))
