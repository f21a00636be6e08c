"""The error of a value of the right type that cannot be intended."""


class InvalidValueError(ValueError):
    """A value of the right type that cannot be intended, with the way out.

    fixes: values that would do, by their key in the value; "" is the value itself, and a fix that
    is None leaves the key out.
    rule: the id of its rule.
    """

    def __init__(
        self, reason: str, remedy: str, *fixes: tuple[str, object], rule: str = "invalid-value"
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.fixes = fixes
        self.rule = rule
