"""A place for one item: the newest wins, nothing ever queues."""

import threading


class Slot:
    """Hand the newest item from one thread to another; an unread item is overwritten."""

    def __init__(self):
        self._changed = threading.Condition()
        self._item = None
        self._closed = False

    def put(self, item) -> bool:
        """Place an item; return True when one is lost by it: the unread one, or this one once closed."""
        with self._changed:
            if self._closed:
                return True
            replaced = self._item is not None
            self._item = item
            self._changed.notify()
        return replaced

    def take(self):
        """Wait for an item and return it, or None once the slot is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None)
            if self._closed:
                return None
            item, self._item = self._item, None
            return item

    def clear(self) -> bool:
        """Throw away an item that nobody has taken; return True when there was one."""
        with self._changed:
            unread, self._item = self._item is not None, None
        return unread

    def close(self) -> bool:
        """Let take() return None from now on; return True when an unread item was thrown away."""
        with self._changed:
            unread, self._item = self._item is not None, None
            self._closed = True
            self._changed.notify_all()
        return unread
