"""Why a load test ends without figures, in one sentence without secrets."""

from models.problems import without_secrets


class LoadError(Exception):
    """A request was not answered as it should.

    code: the HTTP status of a refusal; None if it was none.
    is_broken: whether an answer began and did not end.
    in_load: whether it happened after the first request, so that the model answers in principle.
    """

    def __init__(self, text: str, *, code: int | None = None, is_broken: bool = False) -> None:
        super().__init__(without_secrets(" ".join(text.split())))
        self.code = code
        self.is_broken = is_broken
        self.in_load = False

    def after(self, at_once: int, answers: int) -> "LoadError":
        """The same with the level in which it happened."""
        text = f"with {at_once} at once, after {answers} answers: {self}"
        error = LoadError(text, code=self.code, is_broken=self.is_broken)
        error.in_load = True
        return error

    def without(self, key: str) -> "LoadError":
        """The same without a key that a server has put into its answer."""
        text = str(self).replace(key, "[key]")
        error = LoadError(text, code=self.code, is_broken=self.is_broken)
        error.in_load = self.in_load
        return error
