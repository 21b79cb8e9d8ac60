"""The window's only door to the engine: requests in, the worker's events out as signals on the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.messages import (
    Canceled,
    Event,
    Failed,
    Finished,
    ImageFailed,
    ImageLabelled,
    ModelReady,
    OrderId,
    Predicted,
    Priority,
    Progress,
    Request,
)
from engine.project import Project
from engine.session import Session


class Bridge(QObject):
    """A session with the engine. `start` imports torch: do it before the window accepts input."""

    model_ready = Signal(object)  # ModelReady
    predicted = Signal(object)  # Predicted
    image_labelled = Signal(object)  # ImageLabelled
    image_not_labelled = Signal(object)  # ImageFailed
    progressed = Signal(object)  # Progress
    ended = Signal(object)  # Finished, Failed or Canceled: exactly one an order

    _arrived = Signal(object)

    def __init__(self, open_project: Callable[[Path], AbstractContextManager[Project]]) -> None:
        super().__init__()
        self._open_project = open_project
        self._session: Session | None = None
        self._arrived.connect(self._pass_on, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Start the worker; the first `submit` does it too."""
        if self._session is None:
            self._session = Session(self._arrived.emit, window=True, open_project=self._open_project)

    def submit(self, request: Request, priority: Priority = Priority.BATCH) -> OrderId:
        """Queue a request; its events carry the returned id."""
        self.start()
        assert self._session is not None
        return self._session.submit(request, priority)

    def cancel(self, order: OrderId) -> None:
        """Ask an order to end at its next step."""
        if self._session is not None:
            self._session.cancel(order)

    def close(self, timeout: float | None = None) -> None:
        """Cancel everything and wait for the worker, at most `timeout` seconds."""
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
            case ImageLabelled():
                self.image_labelled.emit(event)
            case ImageFailed():
                self.image_not_labelled.emit(event)
            case Progress():
                self.progressed.emit(event)
            case Finished() | Failed() | Canceled():
                self.ended.emit(event)
