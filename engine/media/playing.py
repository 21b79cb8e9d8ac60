"""Frames in order, made on a thread before they are due, so that a film plays by the clock.

Whoever shows them says which frame is due; those that came too late are dropped and counted, and the
thread skips to where it is wanted. Knows numbers and a function that makes a frame; no clock, no files.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from engine.errors import MaskwrightError
from engine.media.picture import Rgb

MAX_BYTES = 128 << 20
"""Frames that wait may take this much together; one larger than that waits alone."""


class Ahead:
    """Makes `frames` in their order. Close it, or its thread goes on waiting."""

    def __init__(self, frames: Sequence[int], make: Callable[[int], Rgb], max_bytes: int = MAX_BYTES) -> None:
        """Begin at once. make: frame number -> H x W x 3 uint8; on the thread; MaskwrightError ends it."""
        self.dropped = 0
        self.problem = ""  # why there are no more frames
        self._frames, self._make, self._max_bytes = frames, make, max_bytes
        self._ready: deque[tuple[int, Rgb]] = deque()
        self._held = 0
        self._due = 0  # place in `frames`; what comes before it is not made any more
        self._is_over = self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="ahead", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether every frame was made and taken, or dropped."""
        with self._changed:
            return self._is_over and not self._ready

    def take(self, place: int) -> tuple[int, Rgb] | None:
        """The newest frame that is made and due, with its place in `frames`; None where there is none.

        place: the one due now. Those before it that are made are dropped.
        """
        found = None
        with self._changed:
            while self._ready and self._ready[0][0] <= place:
                if found is not None:
                    self.dropped += 1
                found = self._ready.popleft()
                self._held -= found[1].nbytes
            self._due = max(self._due, place)
            self._changed.notify_all()
        return found

    def close(self, *, wait: bool = True) -> None:
        """Make no more, and wait for the thread to see it, or let it end when it comes to it."""
        with self._changed:
            self._is_closed = True
            self._ready.clear()
            self._changed.notify_all()
        if wait:
            self._thread.join()

    def _work(self) -> None:
        place = 0
        while (place := self._next(place)) < len(self._frames):
            try:
                pixels = self._make(self._frames[place])
            except MaskwrightError as error:
                self.problem = str(error)
                break
            with self._changed:
                if self._is_closed:
                    return
                self._ready.append((place, pixels))
                self._held += pixels.nbytes
            place += 1
        with self._changed:
            self._is_over = True

    def _next(self, place: int) -> int:
        """The place to make next, once there is room for it; past the end where this was closed."""
        with self._changed:
            while self._ready and self._held >= self._max_bytes and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return len(self._frames)
            if place < self._due:
                self.dropped += self._due - place
                return self._due
            return place
