"""How the threads of a CPU behave beside other programs."""

import os


def sleep_while_waiting() -> None:
    """Let OpenMP's threads sleep while they wait for work, unless ``OMP_WAIT_POLICY`` says what they are to do.

    By default they spin, on a core that a camera, a planner or a compiler could use (docs/performance.md has figures).
    Programs call it first: OpenMP reads the variable once, when torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def spinning() -> bool:
    """Whether ``OMP_WAIT_POLICY`` asks for threads that spin, for runtimes with threads of their own."""
    return os.environ.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE"
