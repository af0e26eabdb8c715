"""Log lines that repeat at camera rate, said once in a while."""

import math
import threading
import time


class Console:
    """Log sentences through a node's logger, each subject at most once in `every` seconds.

    rclpy's own throttle works per line of code; one line here serves many subjects.
    """

    def __init__(self, logger):
        self._logger = logger
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._skipped: dict[str, int] = {}

    def warn(self, subject: str, sentence: str, every: float = 5.0) -> bool:
        """Log a warning unless this subject was heard within the period; return whether it was logged."""
        sentence = self._due(subject, sentence, every)
        if sentence:
            self._logger.warning(sentence)
        return bool(sentence)

    def error(self, subject: str, sentence: str, every: float = 5.0) -> None:
        """Log an error unless this subject was heard within the period."""
        sentence = self._due(subject, sentence, every)
        if sentence:
            self._logger.error(sentence)

    def _due(self, subject: str, sentence: str, every: float) -> str:
        now = time.monotonic()
        with self._lock:
            if now - self._last.get(subject, -math.inf) < every:
                self._skipped[subject] = self._skipped.get(subject, 0) + 1
                return ""
            self._last[subject] = now
            skipped = self._skipped.pop(subject, 0)
        return f"{sentence} ({skipped} more of this kind since the last line)" if skipped else sentence
