"""One thread that owns the model and runs jobs, the most urgent first.

A job is a generator of events, and of None between its steps. After each the worker looks whether something
more urgent came in; if so that runs to its end first. Canceling closes the generator. Knows nothing of what
jobs do.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.errors import MaskwrightError
from engine.messages import Canceled, Ending, Event, Failed, Finished, OrderId, WorkRequest

log = logging.getLogger(__name__)

Summary: TypeAlias = Mapping[str, int | float | str]
Job: TypeAlias = Generator[Event | None, None, Summary]
"""None is a moment at which a job may be left alone without anything to tell."""
StartJob: TypeAlias = Callable[[OrderId, WorkRequest], Job]


@dataclass(order=True, slots=True)
class _Order:
    priority: int
    id: OrderId
    request: WorkRequest = field(compare=False)
    job: Job | None = field(default=None, compare=False)
    canceled: bool = field(default=False, compare=False)


class Worker(threading.Thread):
    """Serves orders until closed. `emit` is called on this thread and must not block."""

    def __init__(self, start_job: StartJob, emit: Callable[[Event], None]) -> None:
        super().__init__(name="engine-worker", daemon=True)
        self._start_job = start_job
        self._emit = emit
        self._wake = threading.Condition()
        self._waiting: list[_Order] = []  # a heap
        self._running: list[_Order] = []  # innermost last: each pre-empted the one before it
        self._closing = False

    def submit(self, order: OrderId, request: WorkRequest, priority: int) -> None:
        """Queue a request; any thread."""
        with self._wake:
            if self._closing:
                raise RuntimeError("the worker is closed")
            heapq.heappush(self._waiting, _Order(priority, order, request))
            self._wake.notify()

    def cancel(self, order: OrderId) -> None:
        """Ask an order to end at its next event; one that has ended already is left alone."""
        with self._wake:
            for each in (*self._waiting, *self._running):
                if each.id == order:
                    each.canceled = True
            self._wake.notify()

    def close(self) -> None:
        """Cancel everything and let the thread end; any thread. Join it to wait for that."""
        with self._wake:
            self._closing = True
            for each in (*self._waiting, *self._running):
                each.canceled = True
            self._wake.notify()

    def run(self) -> None:
        while (order := self._next()) is not None:
            ending = self._step(order)
            if ending is not None:
                with self._wake:
                    self._running.remove(order)
                self._emit(ending)

    def _next(self) -> _Order | None:
        """A canceled order first, else the most urgent; waits until there is one; None when closed."""
        with self._wake:
            while not self._waiting and not self._running:
                if self._closing:
                    return None
                self._wake.wait()
            canceled = next((o for o in (*self._waiting, *self._running) if o.canceled), None)
            if canceled is not None and canceled in self._waiting:
                self._waiting.remove(canceled)
                heapq.heapify(self._waiting)
                self._running.append(canceled)
            if canceled is not None:
                return canceled
            if self._waiting and (
                not self._running or self._waiting[0].priority < self._running[-1].priority
            ):
                self._running.append(heapq.heappop(self._waiting))
            return self._running[-1]

    def _step(self, order: _Order) -> Ending | None:
        """Run one order to its next event, which is passed on; its ending if that came."""
        try:
            if order.canceled:
                if order.job is not None:
                    order.job.close()
                return Canceled(order.id)
            if order.job is None:
                order.job = self._start_job(order.id, order.request)
            event = next(order.job)
            if event is not None:
                self._emit(event)
        except StopIteration as stop:
            return Finished(order.id, stop.value or {})
        except MaskwrightError as error:
            return Failed(order.id, str(error))
        except Exception as error:
            log.exception("order %d failed", order.id)
            kind = type(error).__name__
            return Failed(
                order.id, f"Something unforeseen went wrong ({kind}: {error}); the log holds the details."
            )
        return None
