"""The window's only door to the engine: requests in, the worker's events out as signals on the GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.errors import MaskwrightError
from engine.messages import (
    Canceled,
    Compared,
    Event,
    Explained,
    Failed,
    Finished,
    ImageFailed,
    ImageLabelled,
    ImageUpgraded,
    ModelReady,
    OrderId,
    Predicted,
    Priority,
    Progress,
    Prompted,
    Request,
    Tuning,
)
from engine.project import Project
from engine.session import Session


class Bridge(QObject):
    """A session with the engine. `start` imports torch: do it before the window accepts input."""

    ready = Signal()  # the worker runs: `submit` does not wait for it
    model_ready = Signal(object)  # ModelReady
    predicted = Signal(object)  # Predicted
    prompted = Signal(object)  # Prompted
    explained = Signal(object)  # Explained
    image_labelled = Signal(object)  # ImageLabelled
    image_upgraded = Signal(object)  # ImageUpgraded
    image_not_labelled = Signal(object)  # ImageFailed
    progressed = Signal(object)  # Progress
    tuning = Signal(object)  # Tuning: something new of a training
    compared = Signal(object)  # Compared
    ended = Signal(object)  # Finished, Failed or Canceled: exactly one an order

    _arrived = Signal(object)

    def __init__(self, open_project: Callable[[Path], AbstractContextManager[Project]]) -> None:
        super().__init__()
        self._open_project = open_project
        self._session: Session | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._arrived.connect(self._pass_on, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Start the worker, on any thread; the first `submit` does it too. Raises MaskwrightError."""
        with self._starting:
            if self._session is None and not self._closed:
                self._session = self._open_session()
                self.ready.emit()

    @property
    def is_ready(self) -> bool:
        """Whether the worker runs."""
        return self._session is not None

    def _open_session(self) -> Session:
        try:
            return Session(self._arrived.emit, window=True, open_project=self._open_project)
        except (ImportError, OSError) as error:
            raise MaskwrightError(
                self.tr("Models cannot run here ({}): `main.py doctor` says what to mend.").format(error)
            ) from error

    def submit(self, request: Request, priority: Priority = Priority.BATCH) -> OrderId:
        """Queue a request; its events carry the returned id. Raises MaskwrightError as `start`."""
        self.start()
        if self._session is None:
            raise MaskwrightError(self.tr("The program is ending."))
        return self._session.submit(request, priority)

    def cancel(self, order: OrderId) -> None:
        """Ask an order to end at its next step."""
        if self._session is not None:
            self._session.cancel(order)

    def leave(self, order: OrderId) -> None:
        """Have a training end after its step and its restart file, with no hurry."""
        if self._session is not None:
            self._session.leave(order)

    def pause(self, order: OrderId) -> None:
        """Have a training hold after its step; the news Paused follows."""
        if self._session is not None:
            self._session.pause(order)

    def go_on(self, order: OrderId) -> None:
        """Let a paused training go on; the news Resumed follows."""
        if self._session is not None:
            self._session.go_on(order)

    def close(self, timeout: float | None = None) -> None:
        """Cancel everything and wait for the worker, at most `timeout` seconds."""
        with self._starting:
            self._closed = True
            session, self._session = self._session, None
        if session is not None:
            session.close(timeout)

    @Slot(object)
    def _pass_on(self, event: Event) -> None:
        match event:
            case ModelReady():
                self.model_ready.emit(event)
            case Predicted():
                self.predicted.emit(event)
            case Prompted():
                self.prompted.emit(event)
            case Explained():
                self.explained.emit(event)
            case ImageLabelled():
                self.image_labelled.emit(event)
            case ImageUpgraded():
                self.image_upgraded.emit(event)
            case ImageFailed():
                self.image_not_labelled.emit(event)
            case Progress():
                self.progressed.emit(event)
            case Tuning():
                self.tuning.emit(event)
            case Compared():
                self.compared.emit(event)
            case Finished() | Failed() | Canceled():
                self.ended.emit(event)
