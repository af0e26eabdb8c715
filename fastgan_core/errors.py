"""The one exception that is meant for people."""


class FastganError(ValueError):
    """An input that cannot be used; the message says what is wrong and what to do."""
