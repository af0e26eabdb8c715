"""Log lines that repeat."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")

from fastgan_ros.programs.console import Console


class Logger:
    def __init__(self):
        self.lines = []

    def warning(self, text):
        self.lines.append(text)


def test_a_repeated_line_is_said_once_and_its_repetitions_counted(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("fastgan_ros.programs.console.time.monotonic", lambda: now[0])
    logger = Logger()
    console = Console(logger)
    for _ in range(4):
        console.warn("a", "A.")
        console.warn("b", "B.")
    now[0] += 5.1
    console.warn("a", "A.")
    assert logger.lines == ["A.", "B.", "A. (3 more of this kind since the last line)"]
