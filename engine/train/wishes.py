"""What somebody outside wants of a training: that it stops, or pauses and goes on. For several threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.2


class Wishes(threading.Event):
    """Set: the training is to stop. Beside that it can be held between two steps."""

    def __init__(self) -> None:
        super().__init__()
        self._paused = threading.Event()
        self.held_seconds = 0.0

    @property
    def is_paused(self) -> bool:
        """Whether nothing is to be done for now. A wish to stop ends a pause."""
        return self._paused.is_set() and not self.is_set()

    def pause(self) -> None:
        """Hold after the step."""
        self._paused.set()

    def go_on(self) -> None:
        """End the pause."""
        self._paused.clear()

    def hold(self, tell: Callable[[bool], None]) -> None:
        """Wait out a pause, if there is one; `tell` is called with True as it begins, False as it ends."""
        if not self.is_paused:
            return
        begun = time.perf_counter()
        tell(True)
        while self._paused.is_set() and not self.wait(_LOOK_SECONDS):
            pass
        self.held_seconds += time.perf_counter() - begun
        tell(False)
