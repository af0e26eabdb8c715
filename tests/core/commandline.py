"""The command `fastgan` in this process."""

import sys

from fastgan_core.commands import main


def fastgan(monkeypatch, *arguments) -> int:
    """Its exit code."""
    monkeypatch.setattr(sys, "argv", ["fastgan", *map(str, arguments)])
    try:
        main.main()
    except SystemExit as end:
        return end.code
    return 0
