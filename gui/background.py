"""Work that must not hold up the window: done on a few threads, its result handed to the GUI thread.

Knows neither projects nor widgets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.errors import MaskwrightError

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Background(QObject):
    """A pool of threads. Make it on the GUI thread, close it before the program ends."""

    _arrived = Signal(object)

    def __init__(self, threads: int, name: str) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._closed = False
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], T],
        then: Callable[[T], None],
        failed: Callable[[str], None] = _log.error,
    ) -> None:
        """Call `work` on a thread; then, on the GUI thread, `then` with its result or `failed` with a
        sentence for a person. Neither is called once this is closed.
        """
        if not self._closed:
            self._pool.submit(self._work, work, then, failed)

    def call(self, function: Callable[[], None]) -> None:
        """Have a function called on the GUI thread; from any thread."""
        if not self._closed:
            self._arrived.emit(function)

    def close(self) -> None:
        """Wait for what is being done; what has not begun is dropped."""
        self._closed = True
        self._pool.shutdown(cancel_futures=True)

    def _work(self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[str], None]) -> None:
        try:
            result = work()
        except MaskwrightError as error:
            sentence = str(error)
            self.call(lambda: failed(sentence))
        except Exception as error:  # noqa: BLE001 - the edge of a job
            _log.exception("work in the background failed")
            sentence = self.tr("Something unforeseen went wrong ({}); the log holds the details.").format(
                f"{type(error).__name__}: {error}"
            )
            self.call(lambda: failed(sentence))
        else:
            self.call(lambda: then(result))

    @Slot(object)
    def _deliver(self, function: Callable[[], None]) -> None:
        if not self._closed:
            function()
