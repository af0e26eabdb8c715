"""What is worth keeping between two starts on the same computer: ``$XDG_CACHE_HOME/fastgan``, or ``~/.cache/fastgan``.

All of it can be made again, so a folder that cannot be written costs time and nothing else.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def folder() -> Path:
    """Where it is; it need not be there yet."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastgan"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / "fastgan"


def keep_folder(path: Path, write: Callable[[Path], object], most: int) -> None:
    """Keep what ``write(new)`` writes into an empty folder as ``path``, whole or not at all.

    Of the folders whose names begin as this one's, up to the first "-", the ``most`` youngest stay.
    """
    with suppress(OSError, RuntimeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as aside:
            new = Path(aside) / path.name
            new.mkdir()
            write(new)
            shutil.rmtree(path, ignore_errors=True)  # one that cannot be read
            new.rename(path)
        alike = path.parent.glob(f"{path.name.split('-')[0]}-*")
        for old in sorted(alike, key=lambda other: other.stat().st_mtime, reverse=True)[most:]:
            shutil.rmtree(old, ignore_errors=True)


def recall(name: str) -> dict:
    """The values that were kept under a name; {} when there are none that can be read."""
    with suppress(OSError, ValueError):
        values = json.loads((folder() / f"{name}.json").read_text())
        return values if isinstance(values, dict) else {}
    return {}


def remember(name: str, values: dict) -> None:
    """Keep values under a name."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder()) as aside:
            new = Path(aside) / "values"
            new.write_text(json.dumps(values, indent=1))
            new.rename(folder() / f"{name}.json")
