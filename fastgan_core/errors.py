"""The one exception that is meant for people, and how programs show it."""

import sys
from contextlib import contextmanager


class FastganError(ValueError):
    """An input that cannot be used; the message says what is wrong and what to do."""


@contextmanager
def in_words(program: str):
    """End the program with one sentence for what is wrong, exit code 2 (130 for Ctrl-C), and no traceback."""
    try:
        yield
    except (FastganError, OSError) as error:  # OSErrors name their file
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        sys.exit(130)
