"""Fine-tunings, each on a thread of its own that listens to the training process: beside the worker.

Assigns what is held out, starts the process, passes on what it says, and makes the new version the active one
where the verdict says so. Whatever fails leaves the model that was active. Needs no torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from engine import applog
from engine.errors import MaskwrightError, TrainingError
from engine.messages import (
    Canceled,
    Ending,
    Event,
    Failed,
    FineTune,
    Finished,
    OrderId,
    Tuning,
    TuningNews,
)
from engine.models.store import ModelStore, default_store
from engine.train import events
from engine.train.order import TrainOrder
from engine.train.process import GRACE_SECONDS, TrainingProcess
from engine.train.verdict import Verdict
from engine.tuning import pace
from engine.tuning.starting import OpenProject, ordered, summary_of, take
from engine.tuning.stopped import forget, note, tidy

SECONDS_TO_CANCEL = 1.5
"""For a step to end and its restart file to be written; then the process is killed."""


@dataclass(slots=True, eq=False)
class _Run:
    """One fine-tuning. Its fields are the thread's, but for `stop` and what is called on `process`."""

    order: OrderId
    request: FineTune
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    process: TrainingProcess | None = None
    verdict: Verdict | None = None
    step: int = 0
    started: events.Started | None = None
    seconds_a_step: float | None = None


class Tuner:
    """Carries out one fine-tuning at a time. `emit` is called on its thread and must return at once.

    open_project: gives a folder's project for a moment, to be left as a context. seconds_to_cancel: for a
    step to end before the process is killed.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        open_project: OpenProject,
        *,
        seconds_to_cancel: float = SECONDS_TO_CANCEL,
    ) -> None:
        self._emit = emit
        self._open_project = open_project
        self._seconds_to_cancel = seconds_to_cancel
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, order: OrderId, request: FineTune) -> None:
        """Start a fine-tuning; any thread. While another one runs it fails at once."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the tuner is closed")
            if self._run is None:
                run = self._run = _Run(order, request)
                self._thread = threading.Thread(
                    target=self._carry_out, args=(run,), name="fine-tuning", daemon=True
                )
                self._thread.start()
                return
        self._emit(Failed(order, "A fine-tuning is running already: wait for its end, or cancel it first."))

    def cancel(self, order: OrderId) -> None:
        """End it within two seconds. It can go on later where its restart file says."""
        self._ask(order, lambda process: process.stop(self._seconds_to_cancel), stop=True)

    def leave(self, order: OrderId) -> None:
        """End it after its step and its restart file, however long they take: nobody waits for it."""
        self._ask(order, lambda process: process.stop(GRACE_SECONDS), stop=True)

    def kill(self, order: OrderId) -> None:
        """End it now; what it did since its last restart file is lost."""
        self._ask(order, lambda process: process.kill(), stop=True)

    def pause(self, order: OrderId) -> None:
        """Hold it after its step, until `go_on`."""
        self._ask(order, lambda process: process.pause())

    def go_on(self, order: OrderId) -> None:
        """End its pause."""
        self._ask(order, lambda process: process.go_on())

    def close(self, timeout: float | None = None) -> None:
        """Have it stop after its step and leave a restart file; wait, but no longer than `timeout` seconds.

        The process sees to its restart file by itself, also after this one has ended.
        """
        with self._lock:
            self._closed = True
            run, thread = self._run, self._thread
        if run is not None and thread is not None:
            grace = GRACE_SECONDS if timeout is None else None
            self._ask(run.order, lambda process: process.stop(grace), stop=True)
            thread.join(timeout)

    def _ask(self, order: OrderId, wish: Callable[[TrainingProcess], None], *, stop: bool = False) -> None:
        with self._lock:
            run = self._run
        if run is None or run.order != order:
            return
        with run.lock:
            if stop:
                run.stop.set()
            if run.process is not None:
                wish(run.process)

    def _carry_out(self, run: _Run) -> None:
        try:
            ending = self._ended(run)
        except events.StopAsked:
            ending = Canceled(run.order)
        except MaskwrightError as error:
            ending = Failed(run.order, str(error))
        except Exception as error:  # noqa: BLE001 - the edge of the thread: it ends in a sentence
            ending = Failed(run.order, applog.record_fault(error))
        with self._lock:
            self._run = None
        self._emit(ending)

    def _tell(self, run: _Run, news: TuningNews) -> None:
        self._emit(Tuning(run.order, news))

    def _ended(self, run: _Run) -> Ending:
        store = default_store()
        order = self._order(run, store)
        try:
            with run.lock:
                if run.stop.is_set():
                    raise events.StopAsked
                run.process = TrainingProcess(order)
            with run.process as process:
                for event in process.events():
                    if isinstance(event, events.Trained | events.Failed | events.Stopped):
                        return self._concluded(run, store, order, event)
                    self._listen(run, store, order, event)
        finally:
            self._note_pace(run, store)
        raise AssertionError("a training process ends with an ending")

    def _order(self, run: _Run, store: ModelStore) -> TrainOrder:
        order, run.step = ordered(
            run.request, store, self._open_project, lambda news: self._tell(run, news), run.stop.is_set
        )
        return order

    def _listen(self, run: _Run, store: ModelStore, order: TrainOrder, event: events.TrainEvent) -> None:
        """Pass on what the process says, and remember what is needed later."""
        match event:
            case events.Trained() | events.Failed() | events.Stopped():
                raise AssertionError("an ending is not news")
            case events.Started():
                run.started = event
            case events.Stepped():
                run.seconds_a_step = event.seconds_a_step or run.seconds_a_step
            case events.Saved(step):
                run.step = step
                with suppress(TrainingError):  # the restart file is there, which matters more
                    note(store.root, order, step)
            case events.Judged(verdict):
                run.verdict = verdict
        self._tell(run, event)

    def _concluded(self, run: _Run, store: ModelStore, order: TrainOrder, event: events.Ending) -> Ending:
        assert order.name is not None
        match event:
            case events.Trained(best=version):
                forget(store.root, order.name)
                return self._activated(run, version.card.name)
            case events.Stopped(step):
                if step:
                    with suppress(TrainingError):
                        note(store.root, order, step)
                    if step != run.step:
                        self._tell(run, events.Saved(step))
                else:
                    tidy(store.root, order.name)
                return Canceled(run.order)
            case events.Failed(message):
                tidy(store.root, order.name)
                return Failed(run.order, message)

    def _activated(self, run: _Run, name: str) -> Ending:
        """The ending of a run that was trained: its version is active where the verdict says so."""
        verdict = run.verdict
        if verdict is None:  # stopped while it was measured
            return Canceled(run.order)
        take(verdict, name, run.request.folder, self._open_project)
        return Finished(run.order, summary_of(verdict, name))

    def _note_pace(self, run: _Run, store: ModelStore) -> None:
        """Remember how long a step took, for the next description."""
        started, seconds = run.started, run.seconds_a_step
        if started is None or seconds is None or not started.batch:
            return
        pace.remember(
            store.root,
            device=started.device,
            architecture=started.architecture,
            side=started.window or started.min_size,
            seconds_a_picture=seconds / started.batch,
        )
