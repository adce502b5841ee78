"""What the server keeps in memory of visitors, of which the oldest goes when there is too much."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """The `most` values that were put here last; any thread may ask."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: Key, value: Value) -> Value:
        """Keep it as the newest; returns the value."""
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = value
            while len(self._values) > self.most:
                self._values.popitem(last=False)
        return value

    def get(self, key: Key) -> Value | None:
        with self._lock:
            return self._values.get(key)

    def forget(self, key: Key) -> None:
        with self._lock:
            self._values.pop(key, None)

    def newest_first(self) -> list[tuple[Key, Value]]:
        with self._lock:
            return list(reversed(self._values.items()))
