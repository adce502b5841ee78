"""How long the Hub is waited for, and how often it is asked again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

LOOK_EVERY = 0.1  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Patience:
    """timeout: seconds without a byte. tries: of each question. first_pause, longest_pause: seconds before the second
    try, and the most before a later one; each is twice as long as the one before. longest_wait: seconds that the Hub
    may ask us to wait (Retry-After) and get its wish.
    """

    timeout: float = 30.0
    tries: int = 5
    first_pause: float = 0.5
    longest_pause: float = 8.0
    longest_wait: float = 60.0

    def pause(self, failed: int) -> float:
        """Seconds to wait after so many tries have failed; not the same for all who failed together."""
        return min(self.longest_pause, self.first_pause * 2 ** (failed - 1)) * random.uniform(0.8, 1.2)


PATIENCE = Patience()


def wait(seconds: float, alive: Callable[[], None]) -> None:
    """Sleep. alive: called often meanwhile; what it raises ends the wait."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        alive()
        time.sleep(min(left, LOOK_EVERY))
