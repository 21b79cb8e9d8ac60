"""The engine's front door: submit a request, get events, cancel, close.

Importing this needs no torch; opening a session starts the worker thread, which imports it.
"""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path

from engine.closing import Closing
from engine.messages import Canceled, Event, Failed, FineTune, Finished, OrderId, Priority, Request
from engine.project import Project


class Session(Closing):
    """A running engine. `listener` gets every event, those of a fine-tuning on another thread than those of
    the worker, and must return at once.

    window: leave one core to whoever draws a window. open_project: gives the worker the project of a
    folder, to be left as a context when a job ends; a window lends the one it has open.
    """

    def __init__(
        self,
        listener: Callable[[Event], None],
        *,
        window: bool,
        open_project: Callable[[Path], AbstractContextManager[Project]] = Project.open,
    ) -> None:
        from engine.jobs import Jobs
        from engine.tuning.tuner import Tuner
        from engine.worker import Worker

        self._orders = itertools.count(1)
        self._worker = Worker(Jobs(window=window, open_project=open_project).start, listener)
        self._worker.start()
        self._tuner = Tuner(listener, open_project)

    def submit(self, request: Request, priority: Priority = Priority.BATCH) -> OrderId:
        """Queue a request. Exactly one of Finished, Failed and Canceled will carry the returned id."""
        order = next(self._orders)
        if isinstance(request, FineTune):
            self._tuner.submit(order, request)
        else:
            self._worker.submit(order, request, priority)
        return order

    def cancel(self, order: OrderId) -> None:
        """Ask an order to end at its next step; its Canceled (or an earlier ending) follows."""
        self._worker.cancel(order)
        self._tuner.cancel(order)

    def leave(self, order: OrderId) -> None:
        """As `cancel`, for a fine-tuning that may take its time to leave a restart file."""
        self._tuner.leave(order)

    def pause(self, order: OrderId) -> None:
        """Have a fine-tuning hold after its step; other orders are left alone."""
        self._tuner.pause(order)

    def go_on(self, order: OrderId) -> None:
        """End the pause of a fine-tuning."""
        self._tuner.go_on(order)

    def close(self, timeout: float | None = None) -> None:
        """Cancel everything and wait for the worker to end; a fine-tuning leaves a restart file."""
        self._worker.close()
        self._tuner.close(timeout)
        self._worker.join(timeout)


def run_to_end(request: Request) -> Generator[Event, None, None]:
    """One request in a session of its own: its events, the ending last. Closing the iterator cancels it.

    Ctrl+C while waiting cancels the order; its remaining events and ending are still delivered.
    """
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with Session(events.put, window=False) as session:
        order = session.submit(request)
        while True:
            try:
                # A timeout, because a wait without one cannot be interrupted on Windows.
                event = events.get(timeout=0.2)
            except queue.Empty:
                continue
            except KeyboardInterrupt:
                session.cancel(order)
                continue
            yield event
            if isinstance(event, (Finished, Failed, Canceled)):
                return
