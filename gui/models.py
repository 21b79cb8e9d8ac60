"""The models that can be chosen: what there is, what each knows, and the download of those that are not here.

Knows the store; loads and runs nothing. No widget.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from engine.models.download import DownloadCanceledError
from engine.models.store import ListedModel, ModelState, default_store
from gui.background import Background
from gui.proposals import Proposals


@dataclass(frozen=True, slots=True)
class Download:
    """A download under way. total: bytes, 0 until the server says."""

    name: str
    done: int = 0
    total: int = 0


class Models(QObject):
    """Lives on the GUI thread."""

    changed = Signal()  # the list, the choice or the download is another
    failed = Signal(str)

    def __init__(self, proposals: Proposals, background: Background) -> None:
        super().__init__()
        self.listed: tuple[ListedModel, ...] = ()
        self.download: Download | None = None
        self._proposals = proposals
        self._background = background
        self._stop = threading.Event()
        proposals.changed.connect(self.changed)

    @property
    def chosen(self) -> str:
        """The name of the model in use."""
        return self._proposals.model

    def read(self) -> None:
        """List what there is, anew."""

        def read(listed: tuple[ListedModel, ...]) -> None:
            self.listed = listed
            self.changed.emit()

        self._background.run(lambda: default_store().list(), read, self.failed.emit)

    def choose(self, name: str) -> None:
        """Use this model; one that is not here yet is downloaded first."""
        found = next((one for one in self.listed if one.name == name), None)
        if found is not None and found.state is ModelState.AVAILABLE:
            self.fetch(name)
        elif found is not None and found.version is not None:
            self._proposals.set_model(name)

    def fetch(self, name: str) -> None:
        """Download a model and use it; `download` tells how far it is."""
        if self.download is not None:
            return
        self._stop.clear()
        self._set(Download(name))

        def fetch() -> bool:
            try:
                default_store().download(name, progress=self._progress, canceled=self._stop.is_set)
            except DownloadCanceledError:
                return False
            return True

        def fetched(is_here: bool) -> None:
            self._set(None)
            self.read()
            if is_here:
                self._proposals.set_model(name)

        def failed(sentence: str) -> None:
            self._set(None)
            self.failed.emit(sentence)

        self._background.run(fetch, fetched, failed)

    def stop(self) -> None:
        """Stop the download; what has come is kept for the next time."""
        self._stop.set()

    def _progress(self, done: int, total: int | None) -> None:
        now = self.download
        if now is None or (done - now.done < 1 << 20 and done != total):
            return  # a megabyte at a time is news enough
        self._background.call(lambda: self._set(Download(now.name, done, total or 0)))

    def _set(self, download: Download | None) -> None:
        if download is not None and self.download is None and download.done:
            return  # news of a download that has ended
        self.download = download
        self.changed.emit()
